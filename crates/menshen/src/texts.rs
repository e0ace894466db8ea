//! The library's own sentences, in English and both scripts of Chinese. A policy's texts come from the policy.

use menshen_policy::Month;

/// The languages that the library speaks itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    Simplified,
    Traditional,
}

fn language(locale: &str) -> Language {
    let lower = locale.to_ascii_lowercase();
    let mut parts = lower.split('-');
    if parts.next() != Some("zh") {
        return Language::English;
    }
    if parts.any(|part| matches!(part, "hant" | "tw" | "hk" | "mo")) {
        Language::Traditional
    } else {
        Language::Simplified
    }
}

/// A word on a button. An author cannot write another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Label {
    /// Agree to a notice or a changed policy.
    Agree,
    /// Do not.
    Decline,
    /// Yes to one purpose.
    Accept,
    /// No to it.
    Refuse,
    /// All switches on.
    AgreeToAll,
    /// All switches off.
    RefuseAll,
    /// The answers shown back are right.
    Confirm,
    /// They are not.
    Correct,
}

impl Label {
    /// The word in a locale; English where the library does not speak it.
    #[must_use]
    pub fn text(self, locale: &str) -> &'static str {
        let (english, simplified, traditional) = match self {
            Self::Agree => ("Agree", "同意", "同意"),
            Self::Decline => ("Decline", "不同意", "不同意"),
            Self::Accept => ("Allow", "允许", "允許"),
            Self::Refuse => ("Do not allow", "不允许", "不允許"),
            Self::AgreeToAll => ("Agree to all", "全部同意", "全部同意"),
            Self::RefuseAll => ("Refuse all", "全部拒绝", "全部拒絕"),
            Self::Confirm => ("This is right", "正确", "正確"),
            Self::Correct => ("Change it", "修改", "修改"),
        };
        pick(locale, english, simplified, traditional)
    }
}

fn pick<'a>(locale: &str, english: &'a str, simplified: &'a str, traditional: &'a str) -> &'a str {
    match language(locale) {
        Language::English => english,
        Language::Simplified => simplified,
        Language::Traditional => traditional,
    }
}

/// The sentence for a denial. `{name}` stands for what was refused, `{until}` for a moment in UTC.
pub(crate) fn denial(locale: &str, code: &str, name: &str, until_ms: Option<i64>) -> String {
    let (english, simplified, traditional) = match code {
        "notice-not-agreed" => (
            "{name} is off until you agree to the privacy notice.",
            "在您同意隐私声明之前，{name}不会启用。",
            "在您同意隱私聲明之前，{name}不會啟用。",
        ),
        "consent-not-asked" => (
            "{name} is off because you have not been asked yet.",
            "{name}尚未启用，因为还没有征求您的同意。",
            "{name}尚未啟用，因為還沒有徵求您的同意。",
        ),
        "consent-refused" => (
            "{name} is off because you said no. You can change that in the settings; everything else works.",
            "您已拒绝，因此{name}未启用。您可以在设置中更改；其他功能不受影响。",
            "您已拒絕，因此{name}未啟用。您可以在設定中更改；其他功能不受影響。",
        ),
        "consent-withdrawn" => (
            "{name} is off because you withdrew your consent. You can give it again in the settings.",
            "您已撤回同意，因此{name}未启用。您可以在设置中重新同意。",
            "您已撤回同意，因此{name}未啟用。您可以在設定中重新同意。",
        ),
        "consent-expired" => (
            "{name} is off because your consent has expired. It asks again when you use it.",
            "您的同意已到期，因此{name}未启用。再次使用时会重新征求同意。",
            "您的同意已到期，因此{name}未啟用。再次使用時會重新徵求同意。",
        ),
        "consent-outdated" | "consent-too-weak" => (
            "{name} is off until you agree to what has changed. It asks when you use it.",
            "内容有变化，在您重新同意之前，{name}不会启用。使用时会征求同意。",
            "內容有變化，在您重新同意之前，{name}不會啟用。使用時會徵求同意。",
        ),
        "policy-rule" => (
            "{name} is not available to you under the privacy policy.",
            "根据隐私政策，{name}不向您提供。",
            "根據隱私權政策，{name}不向您提供。",
        ),
        "subject-unknown" => (
            "{name} is off until your age and place are known. You are asked once, when you use it.",
            "在知道您的年龄和所在地之前，{name}不会启用。使用时只询问一次。",
            "在知道您的年齡和所在地之前，{name}不會啟用。使用時只詢問一次。",
        ),
        "subject-not-supplied" => (
            "{name} is off until the app knows your age and place.",
            "在本应用知道您的年龄和所在地之前，{name}不会启用。",
            "在本應用程式知道您的年齡和所在地之前，{name}不會啟用。",
        ),
        "guardian-needed" => (
            "{name} needs the consent of a parent or guardian.",
            "{name}需要父母或监护人同意。",
            "{name}需要父母或監護人同意。",
        ),
        "assurance-needed" => (
            "{name} is off until the administrator has confirmed that the people concerned were told and agreed.",
            "在管理员确认已告知有关人员并取得同意之前，{name}不会启用。",
            "在管理員確認已告知有關人員並取得同意之前，{name}不會啟用。",
        ),
        "no-legitimate-interest" | "law-demands-consent" => (
            "{name} needs your consent where you live. It asks when you use it.",
            "在您所在的地区，{name}需要您的同意。使用时会征求同意。",
            "在您所在的地區，{name}需要您的同意。使用時會徵求同意。",
        ),
        "not-declared" => (
            "{name} is off because the privacy policy does not name it.",
            "隐私政策没有提及{name}，因此未启用。",
            "隱私權政策沒有提及{name}，因此未啟用。",
        ),
        "restricted" => (
            "{name} is off because you objected to it.",
            "您已提出反对，因此{name}未启用。",
            "您已提出反對，因此{name}未啟用。",
        ),
        "ended-by-policy" => (
            "{name} has ended with the new privacy policy.",
            "新的隐私政策已取消{name}。",
            "新的隱私權政策已取消{name}。",
        ),
        "not-accepted-yet" => (
            "{name} comes with a changed privacy policy that you have not accepted yet.",
            "{name}属于您尚未同意的新版隐私政策。",
            "{name}屬於您尚未同意的新版隱私權政策。",
        ),
        "permission-not-asked" => (
            "{name} needs a system permission. It asks when you use it.",
            "{name}需要系统权限，使用时会请求。",
            "{name}需要系統權限，使用時會請求。",
        ),
        "permission-resting" => (
            "{name} needs a system permission that was refused. It may be asked for again from {until}. Everything else works.",
            "{name}所需的系统权限已被拒绝，{until} 之后才会再次请求。其他功能不受影响。",
            "{name}所需的系統權限已被拒絕，{until} 之後才會再次請求。其他功能不受影響。",
        ),
        "permission-refused" => (
            "{name} needs a system permission that was refused. Everything else works.",
            "{name}所需的系统权限已被拒绝。其他功能不受影响。",
            "{name}所需的系統權限已被拒絕。其他功能不受影響。",
        ),
        "permission-blocked" => (
            "{name} needs a system permission that is off. You can turn it on in the system settings.",
            "{name}所需的系统权限已关闭，您可以在系统设置中打开。",
            "{name}所需的系統權限已關閉，您可以在系統設定中打開。",
        ),
        "identifier-undeclared" => (
            "The privacy policy does not say that {name} receives this identifier.",
            "隐私政策没有说明{name}会获得此标识符。",
            "隱私權政策沒有說明{name}會取得此識別碼。",
        ),
        "identifier-refused" => {
            ("{name} does not get this identifier.", "不会向{name}提供此标识符。", "不會向{name}提供此識別碼。")
        }
        "identifier-unavailable" => (
            "This device has no such identifier for {name}.",
            "此设备没有可供{name}使用的该标识符。",
            "此裝置沒有可供{name}使用的該識別碼。",
        ),
        "never-started" => {
            ("{name} is never started by this app.", "本应用不会启动{name}。", "本應用程式不會啟動{name}。")
        }
        "signed-out" => (
            "{name} is off because you are signed out.",
            "您已退出登录，因此{name}未启用。",
            "您已登出，因此{name}未啟用。",
        ),
        "key-not-ready" => (
            "{name} is off until the device is unlocked.",
            "设备解锁之前，{name}不会启用。",
            "裝置解鎖之前，{name}不會啟用。",
        ),
        "key-missing" => (
            "{name} is off because its key is gone from this device. It asks again when you use it.",
            "此设备上的密钥已不存在，因此{name}未启用。使用时会重新征求同意。",
            "此裝置上的金鑰已不存在，因此{name}未啟用。使用時會重新徵求同意。",
        ),
        "account-key-lost" => (
            "{name} is off because the key to your answers is gone from this device.",
            "此设备上保管您选择的密钥已不存在，因此{name}未启用。",
            "此裝置上保管您選擇的金鑰已不存在，因此{name}未啟用。",
        ),
        "ledger-unreadable" => (
            "{name} is off because the record of your answers cannot be read right now.",
            "暂时无法读取您的选择记录，因此{name}未启用。",
            "暫時無法讀取您的選擇紀錄，因此{name}未啟用。",
        ),
        "ledger-broken" => (
            "{name} is off because the record of your answers is damaged.",
            "您的选择记录已损坏，因此{name}未启用。",
            "您的選擇紀錄已損壞，因此{name}未啟用。",
        ),
        _ => ("{name} is not allowed.", "不允许使用{name}。", "不允許使用{name}。"),
    };
    let until = until_ms.map(moment).unwrap_or_default();
    pick(locale, english, simplified, traditional).replace("{name}", name).replace("{until}", &until)
}

/// The fixed parts around a policy's own texts in a prompt.
pub(crate) struct PromptWords {
    pub(crate) collected: &'static str,
    pub(crate) recipients: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) refusing: &'static str,
    pub(crate) changed: &'static str,
    pub(crate) adds: &'static str,
    pub(crate) ends: &'static str,
}

pub(crate) fn prompt_words(locale: &str) -> PromptWords {
    let word = |e, s, t| pick(locale, e, s, t);
    PromptWords {
        collected: word("What is used", "使用的信息", "使用的資訊"),
        recipients: word("Who receives it", "接收方", "接收方"),
        kept: word("Kept on this device for at most", "在本设备上最多保存", "在本裝置上最多保存"),
        refusing: word("If you say no", "如果拒绝", "如果拒絕"),
        changed: word("The privacy policy has changed", "隐私政策有更新", "隱私權政策有更新"),
        adds: word("New, and only after you agree", "新增，经您同意后才生效", "新增，經您同意後才生效"),
        ends: word("Ended", "已取消", "已取消"),
    }
}

/// Names in a row.
pub(crate) fn list<'a>(locale: &str, names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(pick(locale, ", ", "、", "、"))
}

/// Where a consent is withdrawn, for a receipt.
pub(crate) fn withdrawal(locale: &str, is_possible: bool) -> &'static str {
    if is_possible {
        pick(locale, "in the settings of the app", "在应用的设置中", "在應用程式的設定中")
    } else {
        pick(locale, "not possible: a statute demands it", "不可撤回：法律要求", "不可撤回：法律要求")
    }
}

/// A length of time in words, rounded up to its largest unit: nothing is kept longer than it is told.
pub(crate) fn span(locale: &str, seconds: u64) -> String {
    let (count, one, many, simplified, traditional) = match seconds {
        0..3600 => (seconds.div_ceil(60), "minute", "minutes", "分钟", "分鐘"),
        3600..172_800 => (seconds.div_ceil(3600), "hour", "hours", "小时", "小時"),
        _ => (seconds.div_ceil(86_400), "day", "days", "天", "天"),
    };
    format!("{count} {}", pick(locale, if count == 1 { one } else { many }, simplified, traditional))
}

/// A moment in UTC as `2026-03-16 10:20 UTC`.
fn moment(ms: i64) -> String {
    let month = Month::at(ms);
    let day = ms.saturating_sub(month.start_ms()).div_euclid(86_400_000) + 1;
    let minute_of_day = ms.rem_euclid(86_400_000) / 60_000;
    format!("{month}-{day:02} {:02}:{:02} UTC", minute_of_day / 60, minute_of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &[&str] = &[
        "notice-not-agreed",
        "consent-not-asked",
        "consent-refused",
        "consent-withdrawn",
        "consent-expired",
        "consent-outdated",
        "consent-too-weak",
        "policy-rule",
        "subject-unknown",
        "subject-not-supplied",
        "guardian-needed",
        "no-legitimate-interest",
        "law-demands-consent",
        "assurance-needed",
        "not-declared",
        "restricted",
        "ended-by-policy",
        "not-accepted-yet",
        "permission-not-asked",
        "permission-resting",
        "permission-refused",
        "permission-blocked",
        "identifier-undeclared",
        "identifier-refused",
        "identifier-unavailable",
        "never-started",
        "signed-out",
        "key-not-ready",
        "key-missing",
        "account-key-lost",
        "ledger-unreadable",
        "ledger-broken",
    ];

    #[test]
    fn a_denial_speaks_the_language_of_its_locale() {
        assert_eq!(
            denial("en-GB", "consent-not-asked", "Maps", None),
            "Maps is off because you have not been asked yet."
        );
        assert!(denial("zh-Hans", "permission-blocked", "地图", None).contains("系统设置"));
        assert!(denial("zh-TW", "permission-blocked", "地圖", None).contains("系統設定"));
        assert_eq!(denial("fr", "unknown-code", "Maps", None), "Maps is not allowed.");
    }

    #[test]
    fn every_denial_has_a_sentence_of_its_own() {
        for code in CODES {
            assert_ne!(denial("en", code, "Maps", None), denial("en", "unknown-code", "Maps", None), "{code}");
        }
    }

    #[test]
    fn chinese_sentences_have_full_width_punctuation() {
        let words = [prompt_words("zh-Hans"), prompt_words("zh-Hant")].map(|words| words.adds.to_owned());
        let sentences = ["zh-Hans", "zh-Hant"]
            .into_iter()
            .flat_map(|locale| CODES.iter().map(move |code| denial(locale, code, "地图", Some(951_909_600_000))));
        for sentence in sentences.chain(words) {
            assert!(!sentence.replace("11:20", "").contains([',', ';', ':', '!', '?']), "{sentence}");
        }
    }

    #[test]
    fn names_in_a_row_are_set_apart_as_the_language_does() {
        assert_eq!(["en", "zh-Hans", "zh-Hant"].map(|l| list(l, ["A", "B"].into_iter())), ["A, B", "A、B", "A、B"]);
    }

    #[test]
    fn the_longest_time_that_something_is_kept_is_never_told_shorter_than_it_is() {
        let told = [30, 60, 61, 3600, 3601, 5 * 3600 + 59 * 60, 172_800, 172_801, 2_592_000].map(|s| span("en", s));
        let expected =
            ["1 minute", "1 minute", "2 minutes", "1 hour", "2 hours", "6 hours", "2 days", "3 days", "30 days"];
        assert_eq!(told, expected);
        assert_eq!(span("zh-Hans", 30), "1 分钟");
    }

    #[test]
    fn a_moment_is_written_to_the_minute() {
        assert!(denial("en", "permission-resting", "Maps", Some(951_909_600_000)).contains("2000-03-01 11:20 UTC"));
    }

    #[test]
    fn accepting_and_refusing_have_words_of_their_own_in_every_language() {
        for locale in ["en", "zh-Hans", "zh-Hant"] {
            assert_ne!(Label::Accept.text(locale), Label::Refuse.text(locale));
            assert_ne!(Label::Agree.text(locale), Label::Decline.text(locale));
        }
    }
}
