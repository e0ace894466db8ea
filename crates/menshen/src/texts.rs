//! The library's own sentences, in English and both scripts of Chinese. A policy's texts come from the policy.

use menshen_policy::Month;
use menshen_policy::document::Right;

use crate::rights::RightState;

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
    /// The person took the permission away.
    WasMe,
    /// Somebody else or something else did.
    WasNotMe,
    /// Use a right.
    Proceed,
    /// Do not.
    Cancel,
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
            Self::WasMe => ("I turned it off", "是我关闭的", "是我關閉的"),
            Self::WasNotMe => ("It was not me", "不是我关闭的", "不是我關閉的"),
            Self::Proceed => ("Go ahead", "继续", "繼續"),
            Self::Cancel => ("Cancel", "取消", "取消"),
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
        "account-closed" => (
            "{name} is off because this account was closed.",
            "此账号已注销，因此{name}未启用。",
            "此帳號已註銷，因此{name}未啟用。",
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

/// The words of the question whose act the loss of a permission was.
pub(crate) struct RevocationWords {
    pub(crate) title: &'static str,
    pub(crate) body: &'static str,
    pub(crate) ends: &'static str,
}

pub(crate) fn revocation_words(locale: &str) -> RevocationWords {
    let word = |e, s, t| pick(locale, e, s, t);
    RevocationWords {
        title: word(
            "The system permission for {name} is off",
            "{name}所需的系统权限已关闭",
            "{name}所需的系統權限已關閉",
        ),
        body: word(
            "If you turned it off yourself, your consent ends and what is kept under it on this device is destroyed. If not, it \
             is only paused until the permission is back.",
            "如果是您自己关闭的，您的同意即告撤回，本设备上据此保存的信息将被销毁。否则只是暂停，权限恢复后继续。",
            "如果是您自己關閉的，您的同意即告撤回，本裝置上據此保存的資料將被銷毀。否則只是暫停，權限恢復後繼續。",
        ),
        ends: word("Ends then", "届时撤回", "屆時撤回"),
    }
}

/// The name of a right as it stands in a sentence.
fn right_name(locale: &str, right: Right) -> &'static str {
    let (english, simplified, traditional) = match right {
        Right::Access => ("access to my data", "查阅个人信息", "查閱個人資料"),
        Right::Report => ("a report of what is collected", "获取收集情况报告", "取得蒐集情況報告"),
        Right::Copy => ("a copy of my data", "复制个人信息", "複製個人資料"),
        Right::Portability => ("my data in a portable form", "转移个人信息", "轉移個人資料"),
        Right::Correct => ("a correction of my data", "更正个人信息", "更正個人資料"),
        Right::Delete => ("deletion of my data", "删除个人信息", "刪除個人資料"),
        Right::Restrict => ("a restriction of use", "限制处理", "限制處理"),
        Right::Object => ("an objection", "拒绝处理", "反對處理"),
        Right::Withdraw => ("withdrawal of my consents", "撤回同意", "撤回同意"),
        Right::RefuseMarketing => ("no direct marketing", "拒绝营销", "拒絕行銷"),
        Right::RefuseSale => ("no sale or sharing of my data", "拒绝出售或共享", "拒絕出售或分享"),
        Right::HumanReview => ("a review by a person", "人工复核", "人工覆核"),
        Right::CloseAccount => ("closing my account", "注销账号", "註銷帳號"),
        Right::DisclosureRecords => ("the records of disclosures", "查阅披露记录", "查閱揭露紀錄"),
        Right::EqualTreatment => ("equal treatment", "平等对待", "平等對待"),
        Right::Complain => ("a complaint", "投诉", "投訴"),
        _ => ("a right", "行使权利", "行使權利"),
    };
    pick(locale, english, simplified, traditional)
}

/// How a request stands, in a sentence.
pub(crate) fn right_state(
    locale: &str,
    right: Right,
    state: RightState,
    due: Option<&str>,
    is_overdue: bool,
) -> String {
    let (english, simplified, traditional) = match (state, due) {
        (RightState::Waiting, _) => (
            "Your request ({right}) is not sent yet; uninstalling the app loses it.",
            "您的请求（{right}）尚未发送；卸载应用会使其丢失。",
            "您的請求（{right}）尚未送出；解除安裝會使其遺失。",
        ),
        (_, Some(_)) if is_overdue => (
            "Your request ({right}) was received, and its answer was due by {due}.",
            "您的请求（{right}）已送达，应于 {due} 前答复，现已逾期。",
            "您的請求（{right}）已送達，應於 {due} 前答覆，現已逾期。",
        ),
        (_, Some(_)) => (
            "Your request ({right}) was received. The answer is due by {due}.",
            "您的请求（{right}）已送达，应于 {due} 前答复。",
            "您的請求（{right}）已送達，應於 {due} 前答覆。",
        ),
        (_, None) => {
            ("Your request ({right}) was received.", "您的请求（{right}）已送达。", "您的請求（{right}）已送達。")
        }
    };
    let sentence = pick(locale, english, simplified, traditional);
    sentence.replace("{right}", right_name(locale, right)).replace("{due}", due.unwrap_or_default())
}

/// That a right is refused, with the ground.
pub(crate) fn right_refused(locale: &str, right: Right, ground: &str) -> String {
    let sentence = pick(
        locale,
        "Your request ({right}) is refused: {ground}",
        "您的请求（{right}）被拒绝：{ground}",
        "您的請求（{right}）被拒絕：{ground}",
    );
    sentence.replace("{right}", right_name(locale, right)).replace("{ground}", ground)
}

/// The words of the prompt before a right that destroys something is used.
pub(crate) struct RightWords {
    pub(crate) title: &'static str,
    pub(crate) body: &'static str,
    pub(crate) copy_label: &'static str,
    pub(crate) copy: &'static str,
    pub(crate) stays: &'static str,
}

pub(crate) fn right_prompt(locale: &str, right: Right) -> RightWords {
    let word = |e, s, t| pick(locale, e, s, t);
    let (title, body) = match right {
        Right::Delete => (
            word("Delete my data", "删除我的个人信息", "刪除我的個人資料"),
            word(
                "What this device keeps is destroyed, and everyone who received it is asked to erase it. This cannot be undone.",
                "本设备上保存的信息将被销毁，并要求所有接收方删除。此操作无法撤销。",
                "本裝置上保存的資料將被銷毀，並要求所有接收方刪除。此操作無法復原。",
            ),
        ),
        Right::CloseAccount => (
            word("Close my account", "注销我的账号", "註銷我的帳號"),
            word(
                "What this device keeps of the account is destroyed, and the account is closed for good.",
                "本设备上保存的该账号信息将被销毁，账号将被永久注销。",
                "本裝置上保存的該帳號資料將被銷毀，帳號將被永久註銷。",
            ),
        ),
        _ => (
            word("Withdraw all consents", "撤回全部同意", "撤回全部同意"),
            word(
                "Every consent ends, and what is kept under them on this device is destroyed. What was done before stays lawful.",
                "所有同意将被撤回，本设备上据此保存的信息将被销毁。撤回前的处理仍然合法。",
                "所有同意將被撤回，本裝置上據此保存的資料將被銷毀。撤回前的處理仍然合法。",
            ),
        ),
    };
    RightWords {
        title,
        body,
        copy_label: word("A copy first", "先保留副本", "先保留副本"),
        copy: word(
            "You can save a copy of everything that this device keeps before it is destroyed.",
            "在销毁之前，您可以保存本设备上全部信息的副本。",
            "在銷毀之前，您可以保存本裝置上全部資料的副本。",
        ),
        stays: word("Stays, because a law demands it", "依法必须保留", "依法必須保留"),
    }
}

/// A ready text for the controller, in case a request cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// How to reach the controller, as the policy says it.
    pub to: String,
    /// The text.
    pub body: String,
}

/// What stands in a letter.
pub(crate) struct Request<'a> {
    pub(crate) right: Right,
    pub(crate) controller: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) version: &'a str,
    pub(crate) number: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) purpose: Option<&'a str>,
    pub(crate) words: Option<&'a str>,
    pub(crate) due: Option<&'a str>,
}

pub(crate) fn letter(locale: &str, request: &Request<'_>) -> Letter {
    let word = |e, s, t| pick(locale, e, s, t);
    let right = right_name(locale, request.right);
    let lines = [
        Some((word("To", "致", "致"), request.controller)),
        Some((word("I ask for", "请求事项", "請求事項"), right)),
        request.purpose.map(|purpose| (word("Purpose", "处理目的", "處理目的"), purpose)),
        request.words.map(|words| (word("In my words", "说明", "說明"), words)),
        request.account.map(|account| (word("Account", "账号", "帳號"), account)),
        request.due.map(|due| (word("Answer due by", "答复期限", "答覆期限"), due)),
        Some((word("Request", "请求编号", "請求編號"), request.number)),
    ];
    let colon = if language(locale) == Language::English { ": " } else { "：" };
    let mut body: Vec<String> =
        lines.into_iter().flatten().map(|(label, text)| format!("{label}{colon}{text}")).collect();
    body.push(format!(
        "{}{colon}{} {}",
        word("Privacy policy", "隐私政策", "隱私權政策"),
        request.policy,
        request.version
    ));
    Letter { to: request.contact.to_owned(), body: body.join("\n") }
}

/// Where a consent is withdrawn, for a receipt.
pub(crate) fn withdrawal(locale: &str, is_possible: bool) -> &'static str {
    if is_possible {
        pick(locale, "in the settings of the app", "在应用的设置中", "在應用程式的設定中")
    } else {
        pick(locale, "not possible: a statute demands it", "不可撤回：法律要求", "不可撤回：法律要求")
    }
}

/// The fixed parts of the copy of everything.
pub(crate) struct CopyWords {
    pub(crate) title: &'static str,
    pub(crate) made: &'static str,
    pub(crate) controller: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) account: &'static str,
    pub(crate) place: &'static str,
    pub(crate) age: &'static str,
    pub(crate) next_threshold: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) state: &'static str,
    pub(crate) on: &'static str,
    pub(crate) records: &'static str,
    pub(crate) when: &'static str,
    pub(crate) what: &'static str,
    pub(crate) content: &'static str,
    pub(crate) kept_until: &'static str,
    pub(crate) unreadable: &'static str,
    pub(crate) items: &'static str,
    pub(crate) recipient: &'static str,
    pub(crate) requests: &'static str,
    pub(crate) request: &'static str,
    pub(crate) history: &'static str,
    pub(crate) nothing: &'static str,
}

pub(crate) fn copy_words(locale: &str) -> CopyWords {
    let word = |e, s, t| pick(locale, e, s, t);
    CopyWords {
        title: word("What this device keeps about you", "本设备上保存的您的信息", "本裝置上保存的您的資料"),
        made: word("Made", "生成时间", "產生時間"),
        controller: word("Controller", "个人信息处理者", "個人資料控管者"),
        policy: word("Privacy policy", "隐私政策", "隱私權政策"),
        account: word("Account", "账号", "帳號"),
        place: word("Place", "所在地", "所在地"),
        age: word("Age", "年龄", "年齡"),
        next_threshold: word("Surely past the next age from", "确定达到下一年龄的月份", "確定達到下一年齡的月份"),
        answers: word("Your answers", "您的选择", "您的選擇"),
        purpose: word("Purpose", "处理目的", "處理目的"),
        state: word("State", "状态", "狀態"),
        on: word("On", "已启用", "已啟用"),
        records: word("What was recorded", "已记录的内容", "已記錄的內容"),
        when: word("When", "时间", "時間"),
        what: word("What", "事项", "事項"),
        content: word("Content", "内容", "內容"),
        kept_until: word("Kept until", "保存至", "保存至"),
        unreadable: word("Records here that cannot be read", "无法读取的记录数", "無法讀取的紀錄數"),
        items: word("What waits to be delivered", "等待发送的内容", "等待傳送的內容"),
        recipient: word("To", "接收方", "接收方"),
        requests: word("Rights that you used", "您行使的权利", "您行使的權利"),
        request: word("Request", "请求编号", "請求編號"),
        history: word("History", "历史记录", "歷史紀錄"),
        nothing: word("Nothing.", "无。", "無。"),
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
pub(crate) fn moment(ms: i64) -> String {
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
        "account-closed",
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
