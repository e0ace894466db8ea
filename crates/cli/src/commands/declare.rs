//! `menshen declare`: what stores, systems and authorities want declared, written from the policy.

mod android;
mod ios;
mod lists;
mod play;
mod register;
mod stores;
mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use menshen::Policy;
use menshen::policy::document::{Locale, Text};

use crate::failure::{Failure, Result};
use crate::output::{self, NOTE, styled};
use crate::policy_file::{PolicyFile, unreadable};
use crate::words::count;

/// Write what stores, systems and authorities want declared
///
/// Every file is made from the policy alone, so that what is declared is what the library does. What a form asks and a
/// policy does not say is left empty, and told. A file that is there already and differs is not touched.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Declare {
    /// The policy document; `-` stands for standard input
    policy: PathBuf,
    #[command(flatten)]
    what: What,
    /// The folder to write into
    #[arg(short, long, default_value = "declared", value_name = "DIR")]
    output: PathBuf,
    /// Replace files that are there and differ
    #[arg(long)]
    overwrite: bool,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct What {
    /// Android: a manifest with the permissions and the switches that keep SDKs still
    ///
    /// android/AndroidManifest.xml merges into the app's own, as the manifest of a library does.
    #[arg(long)]
    android: bool,
    /// iOS: the usage texts in every locale, the switches of SDKs, and the privacy manifest
    ///
    /// ios/Info.plist holds the keys to take over, ios/LOCALE.lproj/InfoPlist.strings their texts,
    /// ios/PrivacyInfo.xcprivacy the data types. The reasons for required-reason APIs are about code and stay empty.
    #[arg(long)]
    ios: bool,
    /// Google Play: fill the Data safety form that you exported from the Play Console
    ///
    /// Rows are found by their ids and keep their order; play/data-safety.csv is for importing. What the policy does not
    /// answer keeps your answer.
    #[arg(long, value_name = "EXPORT.csv")]
    play: Option<PathBuf>,
    /// China: the lists of what is collected, of what is shared, and of permissions
    ///
    /// 已收集个人信息清单, 与第三方共享个人信息清单 and 系统权限清单 as Markdown, HTML and JSON in cn/.
    #[arg(long)]
    cn: bool,
    /// The record of processing activities (GDPR art. 30) as Markdown, HTML and JSON in gdpr/
    #[arg(long)]
    register: bool,
}

const EXAMPLES: &str = "\
Examples:
  menshen declare policy.json --android --ios
  menshen declare policy.json --play ~/Downloads/data_safety_export.csv -o store
  menshen declare policy.json --cn --register -o docs/privacy --overwrite

Exit codes: 0 written, 1 written, but the form has no row for something (told), 2 not written.";

/// A file to write, below the folder of the output.
struct File {
    path: String,
    text: String,
}

/// What is written, and what is not the policy's to say.
#[derive(Default)]
struct Declared {
    files: Vec<File>,
    /// What the developer has to add.
    left: Vec<String>,
    /// What the policy says and a form has no place for.
    unfit: Vec<String>,
}

impl Declared {
    fn file(&mut self, path: impl Into<String>, text: String) {
        self.files.push(File { path: path.into(), text });
    }
}

impl Declare {
    pub(crate) fn run(self) -> Result {
        let policy = PolicyFile::read(&self.policy)?.checked()?;
        let mut declared = Declared::default();
        if self.what.android {
            android::declare(&policy, &mut declared);
        }
        if self.what.ios {
            ios::declare(&policy, &mut declared);
        }
        if let Some(export) = &self.what.play {
            let name = export.display().to_string();
            let text = std::fs::read_to_string(export).map_err(|error| unreadable(&name, &error))?;
            let wrong = |why| Failure::new(format!("`{name}` is not an export of the Data safety form: {why}"));
            play::declare(&policy, &text, &mut declared).map_err(wrong)?;
        }
        if self.what.cn {
            lists::declare(&policy, &mut declared);
        }
        if self.what.register {
            register::declare(&policy, &mut declared);
        }
        let kept = write(&declared.files, &self.output, self.overwrite)?;
        output::print(&told(&declared, &self.output, &kept))?;
        Ok(ExitCode::from(u8::from(!declared.unfit.is_empty())))
    }
}

/// Writes the files, or none of them. Says which were there already, the same.
fn write(files: &[File], folder: &Path, overwrite: bool) -> Result<Vec<bool>> {
    let mut kept = Vec::new();
    let mut different = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        let there = std::fs::read(&path).ok();
        kept.push(there.as_deref() == Some(file.text.as_bytes()));
        if there.is_some_and(|there| there != file.text.as_bytes()) {
            different.push(format!("`{}`", path.display()));
        }
    }
    if !different.is_empty() && !overwrite {
        let names = different.join(", ");
        let help = "choose another folder with `--output`, or replace them with `--overwrite`";
        return Err(Failure::new(format!(
            "nothing was written, because these files are there and differ: {names}\n{help}"
        )));
    }
    for (file, _) in files.iter().zip(&kept).filter(|(_, kept)| !**kept) {
        let path = folder.join(&file.path);
        let unwritten =
            |error: std::io::Error| Failure::new(format!("`{}` cannot be written: {error}", path.display()));
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(unwritten)?;
        std::fs::write(&path, &file.text).map_err(unwritten)?;
    }
    Ok(kept)
}

fn told(declared: &Declared, folder: &Path, kept: &[bool]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (file, kept) in declared.files.iter().zip(kept) {
        let done = if *kept { "unchanged" } else { "written  " };
        let _ = writeln!(text, "{done}  {}", folder.join(&file.path).display());
    }
    for (style, label, lines) in
        [(NOTE, "left to you", &declared.left), (output::BAD, "no place for it", &declared.unfit)]
    {
        for line in lines {
            let _ = writeln!(text, "{}  {line}", styled(style, label));
        }
    }
    let _ = writeln!(text, "{}", count(declared.files.len(), "file"));
    text
}

/// The locale of a policy that is nearest to what is wanted; its first one otherwise.
fn locale<'a>(policy: &'a Policy, wanted: &[&str]) -> &'a str {
    let locales = &policy.document().locales;
    let starts = |locale: &&Locale, prefix: &str| locale.as_str().split('-').next() == Some(prefix);
    let nearest = wanted.iter().find_map(|wanted| {
        locales.iter().find(|l| l.as_str() == *wanted).or_else(|| locales.iter().find(|l| starts(l, wanted)))
    });
    nearest.or(locales.first()).map_or("", Locale::as_str)
}

/// A text in a locale.
fn local<'a>(text: &'a Text, locale: &str) -> &'a str {
    text.get(locale).or_else(|| text.values().next()).map_or("", String::as_str)
}

/// A text for XML, between tags and in attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Which policy a file was made from, for its first lines.
fn made_from(policy: &Policy) -> String {
    let document = policy.document();
    format!("Made by menshen from the policy {} {}, SHA-256 {}", document.id, document.version, policy.hash())
}
