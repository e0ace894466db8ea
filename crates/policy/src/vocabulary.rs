//! The closed sets of words that a policy shares with the platform: permissions, identifiers and their forms.

use serde::{Deserialize, Serialize};

use crate::document::Right;

#[cfg(feature = "schema")]
use schemars::JsonSchema;

/// The data uses at the top of fideslang 3 (CC BY 4.0). A purpose names one of them or an extension of one.
pub const USES: [&str; 12] = [
    "analytics",
    "collect",
    "employment",
    "essential",
    "finance",
    "functional",
    "marketing",
    "operations",
    "personalize",
    "sales",
    "third_party_sharing",
    "train_ai_system",
];

/// A system permission, by one name for Android and iOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[non_exhaustive]
pub enum Permission {
    /// Where the device is, to the street.
    #[serde(rename = "location.precise")]
    LocationPrecise,
    /// Where the device is, to the district.
    #[serde(rename = "location.coarse")]
    LocationCoarse,
    /// The camera.
    #[serde(rename = "camera")]
    Camera,
    /// The microphone.
    #[serde(rename = "microphone")]
    Microphone,
    /// Reading the address book.
    #[serde(rename = "contacts.read")]
    ContactsRead,
    /// Writing the address book.
    #[serde(rename = "contacts.write")]
    ContactsWrite,
    /// The photo library.
    #[serde(rename = "photos")]
    Photos,
    /// Sending and reading text messages (Android).
    #[serde(rename = "sms")]
    Sms,
    /// Files of other apps (Android).
    #[serde(rename = "storage")]
    Storage,
    /// Showing notifications.
    #[serde(rename = "notifications")]
    Notifications,
    /// The telephone state, which carries hardware identifiers (Android).
    #[serde(rename = "phone-state")]
    PhoneState,
    /// The advertising identifier (iOS App Tracking Transparency).
    #[serde(rename = "tracking")]
    Tracking,
}

/// A device identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Identifier {
    /// International Mobile Equipment Identity (Android).
    Imei,
    /// International Mobile Subscriber Identity, of the SIM card (Android).
    Imsi,
    /// Settings.Secure.ANDROID_ID.
    AndroidId,
    /// Open Anonymous Device Identifier of the Mobile Security Alliance (Android, China).
    Oaid,
    /// Google's advertising identifier.
    AdvertisingId,
    /// Apple's advertising identifier.
    Idfa,
    /// Apple's identifier for the vendor.
    Idfv,
    /// An identifier that apps once shared through the pasteboard (iOS).
    Openudid,
    /// An identifier that an SDK makes for itself.
    Guid,
    /// The network hardware address.
    Mac,
    /// The address of the device in the network.
    IpAddress,
}

/// The form of an identifier. The raw value is not a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IdentifierForm {
    /// Declared, and never handed out; the platform is not read.
    Refused,
    /// HMAC-SHA-256 of the value under a key of this recipient and consent: useless to anyone else, and
    /// another value after a withdrawal.
    KeyedHash,
    /// A random value of this recipient and consent in place of the identifier; the platform is not read.
    Pseudonym,
    /// The address without its last part (IPv4 /24, IPv6 /48).
    Truncated,
}

impl IdentifierForm {
    /// How little of the identifier is left, for comparing: the stricter form of two versions is handed out.
    #[must_use]
    pub fn strictness(self) -> u8 {
        match self {
            Self::Truncated => 0,
            Self::KeyedHash => 1,
            Self::Pseudonym => 2,
            Self::Refused => 3,
        }
    }
}

macro_rules! ids {
    ($name:ident { $($variant:ident => $id:literal),+ $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id, as a policy writes it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// The one with an id.
            #[must_use]
            pub fn from_id(id: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.id() == id)
            }
        }
    };
}

ids!(Permission {
    LocationPrecise => "location.precise",
    LocationCoarse => "location.coarse",
    Camera => "camera",
    Microphone => "microphone",
    ContactsRead => "contacts.read",
    ContactsWrite => "contacts.write",
    Photos => "photos",
    Sms => "sms",
    Storage => "storage",
    Notifications => "notifications",
    PhoneState => "phone-state",
    Tracking => "tracking",
});

ids!(Identifier {
    Imei => "imei",
    Imsi => "imsi",
    AndroidId => "android-id",
    Oaid => "oaid",
    AdvertisingId => "advertising-id",
    Idfa => "idfa",
    Idfv => "idfv",
    Openudid => "openudid",
    Guid => "guid",
    Mac => "mac",
    IpAddress => "ip-address",
});

ids!(Right {
    Access => "access",
    Report => "report",
    Copy => "copy",
    Portability => "portability",
    Correct => "correct",
    Delete => "delete",
    Restrict => "restrict",
    Object => "object",
    Withdraw => "withdraw",
    RefuseMarketing => "refuse-marketing",
    RefuseSale => "refuse-sale",
    HumanReview => "human-review",
    CloseAccount => "close-account",
    DisclosureRecords => "disclosure-records",
    EqualTreatment => "equal-treatment",
    Complain => "complain",
});

ids!(IdentifierForm {
    Refused => "refused",
    KeyedHash => "keyed-hash",
    Pseudonym => "pseudonym",
    Truncated => "truncated",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_document_writes() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.id());
        }
        for identifier in Identifier::ALL {
            assert_eq!(serde_json::to_value(identifier).unwrap(), identifier.id());
        }
        for form in IdentifierForm::ALL {
            assert_eq!(serde_json::to_value(form).unwrap(), form.id());
        }
        for right in Right::ALL {
            assert_eq!(serde_json::to_value(right).unwrap(), right.id());
            assert_eq!(Right::from_id(right.id()), Some(*right));
        }
    }
}
