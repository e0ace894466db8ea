//! The words around a policy's own texts, in the languages that the library speaks.

use menshen::policy::document::{DueFrom, DueUnit, LegalBasis, RecipientType, Right};

/// The words of one language.
pub(crate) struct Words {
    pub(crate) ready: &'static str,
    pub(crate) as_set: &'static str,
    pub(crate) born: &'static str,
    pub(crate) place: &'static str,
    pub(crate) is_this_right: &'static str,
    pub(crate) system_dialog: &'static str,
    pub(crate) who_answers: &'static str,
    pub(crate) purposes: &'static str,
    pub(crate) why_allowed: &'static str,
    pub(crate) used: &'static str,
    pub(crate) sensitive: &'static str,
    pub(crate) receivers: &'static str,
    pub(crate) kept: &'static str,
    pub(crate) features: &'static str,
    pub(crate) if_refused: &'static str,
    pub(crate) permissions: &'static str,
    pub(crate) stored_in: &'static str,
    pub(crate) not_stated: &'static str,
    pub(crate) contact: &'static str,
    pub(crate) limits: &'static str,
    pub(crate) apart: &'static str,
    pub(crate) exceptions: &'static str,
    pub(crate) rights: &'static str,
    pub(crate) due: &'static str,
    pub(crate) told: &'static str,
    pub(crate) others: &'static str,
    pub(crate) clause: &'static str,
    pub(crate) days: &'static str,
    bases: [&'static str; 5],
    roles: [&'static str; 6],
    right_names: [&'static str; 16],
    due_units: [&'static str; 3],
    due_from: [&'static str; 2],
}

impl Words {
    /// The words of a locale; English where the library does not speak it.
    pub(crate) fn of(locale: &str) -> &'static Self {
        let lower = locale.to_ascii_lowercase();
        let mut parts = lower.split('-');
        if parts.next() != Some("zh") {
            return &ENGLISH;
        }
        if parts.any(|part| matches!(part, "hant" | "tw" | "hk" | "mo")) { &TRADITIONAL } else { &SIMPLIFIED }
    }

    pub(crate) fn basis(&self, basis: LegalBasis) -> &'static str {
        let [consent, contract, interest, duty, instruction] = self.bases;
        match basis {
            LegalBasis::Contract => contract,
            LegalBasis::LegitimateInterest => interest,
            LegalBasis::LegalDuty => duty,
            LegalBasis::Instruction => instruction,
            _ => consent,
        }
    }

    pub(crate) fn role(&self, role: RecipientType) -> &'static str {
        let [maker, processor, controller, people, public, authority] = self.roles;
        match role {
            RecipientType::Maker => maker,
            RecipientType::Processor => processor,
            RecipientType::People => people,
            RecipientType::Public => public,
            RecipientType::Authority => authority,
            _ => controller,
        }
    }

    pub(crate) fn right(&self, right: Right) -> &'static str {
        let at = match right {
            Right::Access => 0,
            Right::Report => 1,
            Right::Copy => 2,
            Right::Portability => 3,
            Right::Correct => 4,
            Right::Delete => 5,
            Right::Restrict => 6,
            Right::Object => 7,
            Right::Withdraw => 8,
            Right::RefuseMarketing => 9,
            Right::RefuseSale => 10,
            Right::HumanReview => 11,
            Right::CloseAccount => 12,
            Right::DisclosureRecords => 13,
            Right::EqualTreatment => 14,
            _ => 15,
        };
        self.right_names.get(at).copied().unwrap_or_default()
    }

    /// `15 days from the verification`.
    pub(crate) fn due(&self, count: u8, unit: DueUnit, from: DueFrom) -> String {
        let [days, working, months] = self.due_units;
        let [request, verification] = self.due_from;
        let unit = match unit {
            DueUnit::WorkingDays => working,
            DueUnit::Months => months,
            _ => days,
        };
        let from = if from == DueFrom::Verification { verification } else { request };
        format!("{count} {unit}{from}")
    }
}

const ENGLISH: Words = Words {
    ready: "Continue",
    as_set: "Go on as the switches are",
    born: "In which month were you born?",
    place: "Where do you live?",
    is_this_right: "Is this right?",
    system_dialog: "Then the system asks",
    who_answers: "Who answers for your data",
    purposes: "What data is for",
    why_allowed: "Rests on",
    used: "What is used",
    sensitive: "sensitive",
    receivers: "Who receives it",
    kept: "Kept on this device for at most",
    features: "What you can do",
    if_refused: "If you say no",
    permissions: "System permissions",
    stored_in: "Stored in",
    not_stated: "not stated",
    contact: "Contact",
    limits: "Limits",
    apart: "Never brought together",
    exceptions: "Exceptions that the policy claims",
    rights: "What you may demand",
    due: "Answered within",
    told: "What you are told",
    others: "Suppliers' policies",
    clause: "Clause",
    days: "days",
    bases: [
        "your consent",
        "the contract with you",
        "a legitimate interest",
        "a duty by law",
        "a customer's instruction",
    ],
    roles: [
        "the maker of the app",
        "works on the maker's instruction",
        "decides for itself what it does with the data",
        "people whom you choose",
        "everybody",
        "a public authority",
    ],
    right_names: [
        "See your data",
        "A report of what was collected",
        "A copy",
        "Take your data to another service",
        "Have it corrected",
        "Have it deleted",
        "Have its use stopped meanwhile",
        "Object",
        "Take a consent back",
        "No direct marketing",
        "No sale and no sharing",
        "Have a person look at a program's decision",
        "Close the account",
        "Read the records of disclosures",
        "Be treated no worse for it",
        "Complain",
    ],
    due_units: ["days", "working days", "months"],
    due_from: [" from the request", " from the verification of who you are"],
};

const SIMPLIFIED: Words = Words {
    ready: "继续",
    as_set: "按以上选择继续",
    born: "您的出生年月？",
    place: "您住在哪里？",
    is_this_right: "以上信息正确吗？",
    system_dialog: "随后由系统询问",
    who_answers: "谁对您的数据负责",
    purposes: "数据的用途",
    why_allowed: "依据",
    used: "使用的信息",
    sensitive: "敏感",
    receivers: "接收方",
    kept: "在本设备上最多保存",
    features: "您可以使用的功能",
    if_refused: "如果拒绝",
    permissions: "系统权限",
    stored_in: "存储地",
    not_stated: "未说明",
    contact: "联系方式",
    limits: "限制",
    apart: "绝不合并",
    exceptions: "政策所主张的例外",
    rights: "您的权利",
    due: "答复期限",
    told: "会告知您的事项",
    others: "供应商的政策",
    clause: "条款",
    days: "天",
    bases: ["您的同意", "与您的合同", "正当利益", "法定义务", "客户的委托"],
    roles: ["应用的提供者", "受提供者委托处理", "自行决定如何处理", "您选择的人", "所有人", "公共机关"],
    right_names: [
        "查阅您的数据",
        "获取收集情况报告",
        "获取副本",
        "转移到其他服务",
        "更正",
        "删除",
        "暂停使用",
        "反对",
        "撤回同意",
        "拒绝直接营销",
        "拒绝出售与共享",
        "要求人工复核自动决定",
        "注销账号",
        "查阅披露记录",
        "不因行使权利受到差别对待",
        "投诉",
    ],
    due_units: ["天", "个工作日", "个月"],
    due_from: ["（自提出请求起）", "（自核实身份起）"],
};

const TRADITIONAL: Words = Words {
    ready: "繼續",
    as_set: "按以上選擇繼續",
    born: "您的出生年月？",
    place: "您住在哪裡？",
    is_this_right: "以上資訊正確嗎？",
    system_dialog: "隨後由系統詢問",
    who_answers: "誰對您的資料負責",
    purposes: "資料的用途",
    why_allowed: "依據",
    used: "使用的資訊",
    sensitive: "敏感",
    receivers: "接收方",
    kept: "在本裝置上最多保存",
    features: "您可以使用的功能",
    if_refused: "如果拒絕",
    permissions: "系統權限",
    stored_in: "儲存地",
    not_stated: "未說明",
    contact: "聯絡方式",
    limits: "限制",
    apart: "絕不合併",
    exceptions: "政策所主張的例外",
    rights: "您的權利",
    due: "答覆期限",
    told: "會告知您的事項",
    others: "供應商的政策",
    clause: "條款",
    days: "天",
    bases: ["您的同意", "與您的合約", "正當利益", "法定義務", "客戶的委託"],
    roles: ["應用程式的提供者", "受提供者委託處理", "自行決定如何處理", "您選擇的人", "所有人", "公共機關"],
    right_names: [
        "查閱您的資料",
        "取得蒐集情況報告",
        "取得副本",
        "轉移到其他服務",
        "更正",
        "刪除",
        "暫停使用",
        "反對",
        "撤回同意",
        "拒絕直接行銷",
        "拒絕出售與分享",
        "要求人工覆核自動決定",
        "註銷帳號",
        "查閱揭露紀錄",
        "不因行使權利受到差別對待",
        "申訴",
    ],
    due_units: ["天", "個工作日", "個月"],
    due_from: ["（自提出請求起）", "（自核實身分起）"],
};
