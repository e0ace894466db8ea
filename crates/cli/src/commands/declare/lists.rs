//! China: 已收集个人信息清单, 与第三方共享个人信息清单 (工信部, 2021) and the list of system permissions.

use menshen::Policy;
use menshen::policy::document::{
    Document, Id, IdentifierForm, LegalBasis, Permission, Purpose, Recipient, RecipientType, SdkStart,
};

use super::table::Table;
use super::{Declared, android, local, locale};

const NOT_STATED: &str = "政策未说明";

pub(super) fn declare(policy: &Policy, declared: &mut Declared) {
    let locale = locale(policy, &["zh-Hans", "zh"]);
    if !locale.starts_with("zh") {
        let note = "the policy has no Chinese texts, so that its cells are in";
        declared.left.push(format!("cn/: a translation; {note} `{locale}`"));
    }
    let lists = Lists { policy, document: policy.document(), locale };
    lists.collected().declare(policy, "cn/collected", declared);
    lists.shared().declare(policy, "cn/shared", declared);
    lists.permissions().declare(policy, "cn/permissions", declared);
}

struct Lists<'a> {
    policy: &'a Policy,
    document: &'a Document,
    locale: &'a str,
}

impl<'a> Lists<'a> {
    fn table(
        &self,
        title: &str,
        columns: &'static [(&'static str, &'static str)],
        rows: Vec<Vec<String>>,
    ) -> Table<'a> {
        let document = self.document;
        let numbered = rows.into_iter().enumerate().map(|(at, row)| {
            let mut cells = vec![(at + 1).to_string()];
            cells.extend(row);
            cells
        });
        Table {
            locale: self.locale,
            title: title.to_owned(),
            facts: vec![
                ("个人信息处理者", local(&document.controller.name, self.locale).to_owned()),
                ("联系方式", local(&document.controller.contact, self.locale).to_owned()),
                ("隐私政策版本", format!("{} {}", document.id, document.version)),
                ("生效日期", document.effective_from.to_string()),
            ],
            columns,
            rows: numbered.collect(),
        }
    }

    fn collected(&self) -> Table<'a> {
        const COLUMNS: &[(&str, &str)] = &[
            ("number", "序号"),
            ("scene", "使用场景"),
            ("when", "收集时机"),
            ("purpose", "使用目的"),
            ("kinds", "信息种类"),
        ];
        let rows = self.document.purposes.iter().map(|(id, purpose)| {
            vec![self.scene(id, purpose), self.when(id, purpose).to_owned(), self.words(purpose), self.kinds(purpose)]
        });
        self.table("已收集个人信息清单", COLUMNS, rows.collect())
    }

    fn shared(&self) -> Table<'a> {
        const COLUMNS: &[(&str, &str)] = &[
            ("number", "序号"),
            ("name", "第三方名称"),
            ("scene", "使用场景"),
            ("purpose", "使用目的"),
            ("kinds", "信息种类"),
            ("way", "共享方式"),
            ("contact", "第三方联系方式或规则"),
            ("place", "存储地"),
        ];
        let mut rows = Vec::new();
        for (id, recipient) in &self.document.recipients {
            // People whom the person chooses, and the public, are no third parties in the sense of the list.
            let third = matches!(
                recipient.kind,
                RecipientType::Processor | RecipientType::Controller | RecipientType::Authority
            );
            let kept_out = recipient.sdk.as_ref().is_some_and(|sdk| sdk.start == SdkStart::Never);
            if !third || kept_out {
                continue;
            }
            for (_, purpose_id) in self.policy.purposes_of_recipient(id.as_str()) {
                let Some(purpose) = self.document.purposes.get(purpose_id) else { continue };
                rows.push(vec![
                    local(&recipient.name, self.locale).to_owned(),
                    self.scene(purpose_id, purpose),
                    self.words(purpose),
                    self.kinds_for(purpose, recipient),
                    self.way(id, recipient).to_owned(),
                    stated(recipient.contact.as_deref()),
                    stated(recipient.place.as_ref().map(|place| place.as_str())),
                ]);
            }
        }
        self.table("与第三方共享个人信息清单", COLUMNS, rows)
    }

    fn permissions(&self) -> Table<'a> {
        const COLUMNS: &[(&str, &str)] = &[
            ("number", "序号"),
            ("permission", "系统权限"),
            ("android", "Android 权限名称"),
            ("feature", "对应业务功能"),
            ("purpose", "调用目的"),
            ("asked", "使用前是否询问"),
            ("revocable", "可否关闭"),
            ("refused", "拒绝或关闭的影响"),
        ];
        let mut rows = Vec::new();
        for feature in self.document.features.values() {
            for (permission, terms) in &feature.permissions {
                let names: Vec<&str> = android::names(*permission)
                    .iter()
                    .map(|(name, _)| name.rsplit('.').next().unwrap_or(name))
                    .collect();
                rows.push(vec![
                    permission_name(*permission).to_owned(),
                    names.join("、"),
                    local(&feature.name, self.locale).to_owned(),
                    local(&terms.text, self.locale).to_owned(),
                    "是，使用该功能时询问".to_owned(),
                    "可以，在系统设置中关闭".to_owned(),
                    local(&feature.refused, self.locale).to_owned(),
                ]);
            }
        }
        self.table("系统权限清单", COLUMNS, rows)
    }

    /// The features that need a purpose; its own name where none does.
    fn scene(&self, id: &Id, purpose: &Purpose) -> String {
        let features = self.document.features.values().filter(|feature| feature.purposes.contains(id));
        let names: Vec<&str> = features.map(|feature| local(&feature.name, self.locale)).collect();
        if names.is_empty() { local(&purpose.name, self.locale).to_owned() } else { names.join("、") }
    }

    fn when(&self, id: &Id, purpose: &Purpose) -> &'static str {
        let has_feature = self.document.features.values().any(|feature| feature.purposes.contains(id));
        match (purpose.legal_basis, has_feature) {
            (LegalBasis::Consent, true) => "经您同意，使用该功能时",
            (LegalBasis::Consent, false) => "经您同意后",
            (LegalBasis::LegalDuty, _) => "法律法规要求时",
            (LegalBasis::Instruction, _) => "经客户管理员确认后",
            (_, true) => "同意隐私说明后，使用该功能时",
            (_, false) => "同意隐私说明后",
        }
    }

    fn words(&self, purpose: &Purpose) -> String {
        local(&purpose.text, self.locale).to_owned()
    }

    fn kinds(&self, purpose: &Purpose) -> String {
        let kinds = purpose.categories.iter().filter_map(|id| self.document.categories.get(id)).map(|category| {
            let sensitive = if category.sensitive || category.special { "（敏感）" } else { "" };
            format!("{}{sensitive}", local(&category.name, self.locale))
        });
        kinds.collect::<Vec<_>>().join("；")
    }

    /// The kinds of data, and the device identifiers in the form in which they are handed out.
    fn kinds_for(&self, purpose: &Purpose, recipient: &Recipient) -> String {
        let identifiers = recipient.identifiers.iter().filter_map(|(identifier, terms)| {
            let form = match terms.form {
                IdentifierForm::KeyedHash => "密钥哈希",
                IdentifierForm::Pseudonym => "随机代号",
                IdentifierForm::Truncated => "截断",
                _ => return None,
            };
            Some(format!("{}（{form}）", identifier.id()))
        });
        std::iter::once(self.kinds(purpose)).chain(identifiers).collect::<Vec<_>>().join("；")
    }

    fn way(&self, id: &Id, recipient: &Recipient) -> &'static str {
        if recipient.sdk.is_some() {
            "经您同意后启动的 SDK 收集"
        } else if self.document.endpoints.values().any(|endpoint| endpoint.recipient == *id) {
            "由本应用加密传输"
        } else {
            NOT_STATED
        }
    }
}

fn stated(text: Option<&str>) -> String {
    text.filter(|text| *text != "not stated").unwrap_or(NOT_STATED).to_owned()
}

fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::LocationPrecise => "精确位置",
        Permission::LocationCoarse => "大致位置",
        Permission::Camera => "相机",
        Permission::Microphone => "麦克风",
        Permission::ContactsRead => "读取通讯录",
        Permission::ContactsWrite => "写入通讯录",
        Permission::Photos => "相册",
        Permission::Sms => "短信",
        Permission::Storage => "存储",
        Permission::Notifications => "通知",
        Permission::PhoneState => "电话状态",
        Permission::Tracking => "跟踪（广告标识符）",
        other => other.id(),
    }
}
