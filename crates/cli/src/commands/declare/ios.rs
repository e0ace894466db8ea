//! iOS: usage texts in every locale, switches of SDKs, the privacy manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use menshen::Policy;
use menshen::policy::document::{Document, Identifier, IdentifierForm, Permission, Purpose, RecipientType};

use super::{Declared, escaped, local, made_from, stores};

const HEAD: &str = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
";

/// The key of the text that the system's dialog shows; `None` where the system has no text of the app's, or no such
/// permission.
fn usage_key(permission: Permission) -> Option<&'static str> {
    Some(match permission {
        Permission::LocationPrecise | Permission::LocationCoarse => "NSLocationWhenInUseUsageDescription",
        Permission::Camera => "NSCameraUsageDescription",
        Permission::Microphone => "NSMicrophoneUsageDescription",
        Permission::ContactsRead | Permission::ContactsWrite => "NSContactsUsageDescription",
        Permission::Photos => "NSPhotoLibraryUsageDescription",
        Permission::Tracking => "NSUserTrackingUsageDescription",
        _ => return None,
    })
}

pub(super) fn declare(policy: &Policy, declared: &mut Declared) {
    let document = policy.document();
    for (at, locale) in document.locales.iter().enumerate() {
        let texts = usage_texts(document, locale.as_str());
        if at == 0 {
            declared.file("ios/Info.plist", info_plist(policy, &texts));
        }
        if !texts.is_empty() {
            let mut strings = format!("/* {} */\n", made_from(policy));
            for (key, text) in &texts {
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                // Writing to a string cannot fail.
                let _ = writeln!(strings, "\"{key}\" = \"{text}\";");
            }
            declared.file(format!("ios/{locale}.lproj/InfoPlist.strings"), strings);
        }
    }
    let manifest = privacy_manifest(policy, declared);
    declared.file("ios/PrivacyInfo.xcprivacy", manifest);
    declared.left.push(
        "ios/PrivacyInfo.xcprivacy: NSPrivacyAccessedAPITypes, which is about the code of the app and not in a policy"
            .to_owned(),
    );
}

/// The usage texts of a locale, by key. A permission that several features need says all that they need it for.
fn usage_texts(document: &Document, locale: &str) -> BTreeMap<&'static str, String> {
    let mut texts: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for (permission, terms) in document.features.values().flat_map(|feature| &feature.permissions) {
        let Some(key) = usage_key(*permission) else { continue };
        let said = texts.entry(key).or_default();
        let text = local(&terms.text, locale);
        if !said.contains(&text) {
            said.push(text);
        }
    }
    let gap = |said: &[&str]| if said.iter().all(|text| text.ends_with('。')) { "" } else { " " };
    texts.into_iter().map(|(key, said)| (key, said.join(gap(&said)))).collect()
}

fn info_plist(policy: &Policy, texts: &BTreeMap<&'static str, String>) -> String {
    let mut text = format!("{HEAD}<!-- {} -->\n<plist version=\"1.0\">\n<dict>\n", made_from(policy));
    // Writing to a string cannot fail.
    for (key, usage) in texts {
        let _ = writeln!(text, "\t<key>{key}</key>\n\t<string>{}</string>", escaped(usage));
    }
    let recipients = policy.document().recipients.values();
    let switches = recipients.filter_map(|recipient| recipient.sdk.as_ref()).flat_map(|sdk| &sdk.native_defaults.ios);
    for (name, value) in switches.collect::<BTreeMap<_, _>>() {
        let _ = writeln!(text, "\t<key>{}</key>\n\t<{value}/>", escaped(name.as_str()));
    }
    text.push_str("</dict>\n</plist>\n");
    text
}

/// Whether the app tracks people across the apps of others, which the system asks about: the policy asks for it, or hands
/// out the identifier that it is done with.
fn tracks(document: &Document) -> bool {
    let asks = document.features.values().any(|feature| feature.permissions.contains_key(&Permission::Tracking));
    let recipients = document.recipients.values();
    let idfa = recipients.filter_map(|recipient| recipient.identifiers.get(&Identifier::Idfa));
    asks || idfa.into_iter().any(|terms| terms.form != IdentifierForm::Refused)
}

fn privacy_manifest(policy: &Policy, declared: &mut Declared) -> String {
    let document = policy.document();
    let tracks = tracks(document);
    let is_advertising = |purpose: &Purpose| purpose.data_use.as_str().starts_with("marketing.advertising.third_party");
    let domains: BTreeSet<&str> = document
        .endpoints
        .values()
        .filter(|endpoint| {
            let of_others =
                document.recipients.get(&endpoint.recipient).map(|r| r.kind) == Some(RecipientType::Controller);
            let mut purposes = document.purposes.values().filter(|p| p.recipients.contains(&endpoint.recipient));
            tracks && of_others && purposes.any(is_advertising)
        })
        .filter_map(|endpoint| host(endpoint.url.as_str()))
        .collect();
    if tracks && domains.is_empty() {
        let what = "NSPrivacyTrackingDomains, the domains that SDKs track with, which the policy does not name";
        declared.left.push(format!("ios/PrivacyInfo.xcprivacy: {what}"));
    }
    let mut text = format!("{HEAD}<!-- {} -->\n<plist version=\"1.0\">\n<dict>\n", made_from(policy));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\t<key>NSPrivacyTracking</key>\n\t<{tracks}/>");
    text.push_str("\t<key>NSPrivacyTrackingDomains</key>\n\t<array>\n");
    for domain in domains {
        let _ = writeln!(text, "\t\t<string>{}</string>", escaped(domain));
    }
    text.push_str("\t</array>\n\t<key>NSPrivacyCollectedDataTypes</key>\n\t<array>\n");
    for (data_type, collected) in stores::collected(document, stores::apple_type) {
        let purposes: BTreeSet<&str> =
            collected.purposes.iter().map(|purpose| stores::apple_purpose(&purpose.data_use)).collect();
        let tracking = tracks && collected.purposes.iter().any(|purpose| is_advertising(purpose));
        let _ = writeln!(text, "\t\t<!-- {} -->\n\t\t<dict>", collected.categories.join(", "));
        let key = "NSPrivacyCollectedDataType";
        let _ = writeln!(text, "\t\t\t<key>{key}</key>\n\t\t\t<string>{key}{data_type}</string>");
        let _ = writeln!(text, "\t\t\t<key>{key}Linked</key>\n\t\t\t<true/>");
        let _ = writeln!(text, "\t\t\t<key>{key}Tracking</key>\n\t\t\t<{tracking}/>");
        let _ = writeln!(text, "\t\t\t<key>{key}Purposes</key>\n\t\t\t<array>");
        for purpose in purposes {
            let _ = writeln!(text, "\t\t\t\t<string>{key}Purpose{purpose}</string>");
        }
        text.push_str("\t\t\t</array>\n\t\t</dict>\n");
    }
    text.push_str("\t</array>\n\t<key>NSPrivacyAccessedAPITypes</key>\n\t<array>\n\t</array>\n</dict>\n</plist>\n");
    text
}

/// The name in a web address, without the port.
fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', ':']).next()
}
