//! The examples' own words at the terminal, in the languages of their policies. Prompts and buttons are the library's.

pub(crate) struct Words {
    /// The locale for the library's buttons.
    pub(crate) locale: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) born: &'static str,
    pub(crate) place: &'static str,
    pub(crate) system: &'static str,
    pub(crate) one_by_one: &'static str,
    pub(crate) try_again: &'static str,
    pub(crate) input_ended: &'static str,
    pub(crate) scripted_from_here: &'static str,
    /// Between a label and what it says.
    pub(crate) colon: &'static str,
}

const ENGLISH: Words = Words {
    locale: "en",
    subject: "birth month and place",
    born: "In which month were you born? (year and month: 1990-05)",
    place: "Where do you live? (a code: CN, DE, US-CA)",
    system: "system dialog",
    one_by_one: "One by one",
    try_again: "That is not one of the answers. Please try again.",
    input_ended: "the input ended before the questions did; nothing was answered in your place",
    scripted_from_here: "Thank you. From here on a scripted person answers.",
    colon: ": ",
};

const SIMPLIFIED: Words = Words {
    locale: "zh-Hans",
    subject: "出生年月和所在地",
    born: "您的出生年月？（年和月：1990-05）",
    place: "您住在哪里？（代码：CN、DE、US-CA）",
    system: "系统对话框",
    one_by_one: "逐项选择",
    try_again: "没有这个选项，请重新输入。",
    input_ended: "问题还没有问完，输入就结束了；没有替您作出任何回答",
    scripted_from_here: "谢谢。之后由脚本代为回答。",
    colon: "：",
};

const TRADITIONAL: Words = Words {
    locale: "zh-Hant",
    subject: "出生年月和所在地",
    born: "您的出生年月？（年和月：1990-05）",
    place: "您住在哪裡？（代碼：CN、DE、US-CA）",
    system: "系統對話框",
    one_by_one: "逐項選擇",
    try_again: "沒有這個選項，請重新輸入。",
    input_ended: "問題還沒有問完，輸入就結束了；沒有替您作出任何回答",
    scripted_from_here: "謝謝。之後由腳本代為回答。",
    colon: "：",
};

impl Words {
    pub(crate) fn of(locale: &str) -> &'static Self {
        match locale {
            "zh-Hans" => &SIMPLIFIED,
            "zh-Hant" => &TRADITIONAL,
            _ => &ENGLISH,
        }
    }
}
