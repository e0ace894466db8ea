//! The Android manifest: permissions, and the switches that keep SDKs from starting by themselves.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use menshen::Policy;
use menshen::policy::document::{Identifier, IdentifierForm, Permission};

use super::{Declared, escaped, made_from};

/// The permission of the advertising identifier, which the SDK of Google Play services adds to every app.
const AD_ID: &str = "com.google.android.gms.permission.AD_ID";

/// The names of a permission on Android, each with the last version of the system that needs it (API level).
pub(super) fn names(permission: Permission) -> &'static [(&'static str, Option<u8>)] {
    match permission {
        // Precise location is only granted together with the coarse one.
        Permission::LocationPrecise => {
            &[("android.permission.ACCESS_FINE_LOCATION", None), ("android.permission.ACCESS_COARSE_LOCATION", None)]
        }
        Permission::LocationCoarse => &[("android.permission.ACCESS_COARSE_LOCATION", None)],
        Permission::Camera => &[("android.permission.CAMERA", None)],
        Permission::Microphone => &[("android.permission.RECORD_AUDIO", None)],
        Permission::ContactsRead => &[("android.permission.READ_CONTACTS", None)],
        Permission::ContactsWrite => &[("android.permission.WRITE_CONTACTS", None)],
        Permission::Photos => &[
            ("android.permission.READ_MEDIA_IMAGES", None),
            ("android.permission.READ_MEDIA_VIDEO", None),
            ("android.permission.READ_MEDIA_VISUAL_USER_SELECTED", None),
            ("android.permission.READ_EXTERNAL_STORAGE", Some(32)),
        ],
        Permission::Sms => &[("android.permission.SEND_SMS", None), ("android.permission.READ_SMS", None)],
        // Later versions open files of other apps through the system's picker, without a permission.
        Permission::Storage => &[
            ("android.permission.READ_EXTERNAL_STORAGE", Some(32)),
            ("android.permission.WRITE_EXTERNAL_STORAGE", Some(29)),
        ],
        Permission::Notifications => &[("android.permission.POST_NOTIFICATIONS", None)],
        Permission::PhoneState => &[("android.permission.READ_PHONE_STATE", None)],
        Permission::Tracking => &[(AD_ID, None)],
        _ => &[],
    }
}

pub(super) fn declare(policy: &Policy, declared: &mut Declared) {
    let document = policy.document();
    // By name: the last version that needs it, and the features that ask for it.
    let mut permissions: BTreeMap<&str, (Option<u8>, Vec<&str>)> = BTreeMap::new();
    for (id, feature) in &document.features {
        for (name, last) in feature.permissions.keys().flat_map(|permission| names(*permission)) {
            let (_, features) = permissions.entry(name).or_insert((*last, Vec::new()));
            if !features.contains(&id.as_str()) {
                features.push(id.as_str());
            }
        }
    }
    let hands_out = |identifier: Identifier| {
        let forms = document.recipients.values().filter_map(|recipient| recipient.identifiers.get(&identifier));
        forms.into_iter().any(|terms| terms.form != IdentifierForm::Refused)
    };
    if hands_out(Identifier::AdvertisingId) {
        permissions.entry(AD_ID).or_insert((None, vec!["the recipients of the advertising identifier"]));
    }
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- {} -->\n<manifest \
         xmlns:android=\"http://schemas.android.com/apk/res/android\" \
         xmlns:tools=\"http://schemas.android.com/tools\">\n",
        made_from(policy)
    );
    // Writing to a string cannot fail.
    for (name, (last, features)) in &permissions {
        let last = last.map(|last| format!(" android:maxSdkVersion=\"{last}\"")).unwrap_or_default();
        let _ = writeln!(text, "    <!-- {} -->", features.join(", "));
        let _ = writeln!(text, "    <uses-permission android:name=\"{name}\"{last} />");
    }
    if !permissions.contains_key(AD_ID) {
        text.push_str(
            "    <!-- Nobody is handed the advertising identifier: what an SDK adds is taken out again. -->\n",
        );
        let _ = writeln!(text, "    <uses-permission android:name=\"{AD_ID}\" tools:node=\"remove\" />");
    }
    let mut switches = String::new();
    for (id, recipient) in &document.recipients {
        for (name, value) in recipient.sdk.iter().flat_map(|sdk| &sdk.native_defaults.android) {
            let _ = writeln!(switches, "        <!-- {id} -->");
            let name = escaped(name.as_str());
            let _ = writeln!(switches, "        <meta-data android:name=\"{name}\" android:value=\"{value}\" />");
        }
    }
    if !switches.is_empty() {
        let _ = writeln!(text, "    <application>\n{switches}    </application>");
    }
    text.push_str("</manifest>\n");
    declared.file("android/AndroidManifest.xml", text);
}
