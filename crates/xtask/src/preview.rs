//! `cargo xtask preview`: the prompts of the example policies in a real browser: read, tapped, weighed and looked at.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{During as _, Failure, Result};
use crate::process;
use crate::tools;
use crate::workspace::Workspace;

const POLICIES: [&str; 5] = ["joinchat", "justalk-family", "jingdigital", "huirongke", "generic"];
const SCRIPT: &str = include_str!("preview/measure.js");
/// The width of a small phone, in CSS pixels.
const PHONE: u64 = 360;

/// What is spoiled in a copy of a page, and the words of the fault that has to be found there.
const PLANTED: [(&str, &str, &str); 5] = [
    ("</style>", ".clause { color: #999 !important; background: #bbb }</style>", "contrast"),
    ("</style>", ".choice button:first-child { font-weight: 300 }</style>", "unequal weight"),
    ("</style>", "button { min-height: 1rem !important; padding: 0 }</style>", "too small to tap"),
    ("</style>", ".phone { min-width: 30rem }</style>", "wider than the phone"),
    (r#"<input type="checkbox""#, r#"<input checked type="checkbox""#, "on before anybody chose"),
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let chromium = tools::chromium()?;
    let folder = workspace.root.join("target/preview");
    fs::create_dir_all(&folder).during("making a folder for the pages")?;
    let mut cargo = process::cargo();
    process::run(cargo.current_dir(&workspace.root).args(["build", "--release", "-p", "menshen-cli"]))?;
    let browser = Browser { chromium, folder: folder.clone() };

    let mut pages = Vec::new();
    for policy in POLICIES {
        let page = folder.join(format!("{policy}.html"));
        let document = workspace.root.join(format!("examples/policies/{policy}.json"));
        let mut menshen = Command::new(workspace.root.join("target/release/menshen"));
        process::run(menshen.arg("preview").arg(document).arg("-o").arg(&page))?;
        let text = fs::read_to_string(&page).during("reading a page")?;
        pages.push((policy, page, text));
    }

    let mut found = 0;
    let (_, _, sample) = pages.first().ok_or_else(|| Failure::new("there is no page"))?;
    for (place, fault, words) in PLANTED {
        let spoiled = sample.replacen(place, fault, 1);
        let faults = browser.measure("planted", &spoiled, false)?.faults;
        if !faults.iter().any(|one| one.contains(words)) {
            return Err(Failure::new(format!("the planted fault `{fault}` was not found: {faults:?}")));
        }
        found += 1;
    }
    println!("{found} of {} planted faults found\n", PLANTED.len());

    println!(
        "{:<16} {:<6} {:>8} {:>7} {:>8} {:>9} {:>9}",
        "policy", "light", "screens", "texts", "targets", "contrast", "smallest"
    );
    let mut faults = Vec::new();
    for (policy, page, text) in &pages {
        for dark in [false, true] {
            let measured = browser.measure(policy, text, dark)?;
            println!("{policy:<16} {:<6} {}", shade(dark), measured.row());
            let seen = browser.look(policy, page, dark)?;
            faults
                .extend(measured.faults.iter().chain(&seen).map(|fault| format!("{policy}, {}: {fault}", shade(dark))));
        }
    }
    println!("\npages and pictures are in {}", folder.display());
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("\n"))) }
}

struct Browser {
    chromium: PathBuf,
    folder: PathBuf,
}

struct Measured {
    counts: Value,
    faults: Vec<String>,
}

impl Measured {
    fn row(&self) -> String {
        let count = |key: &str| self.counts.get(key).and_then(Value::as_u64).unwrap_or_default();
        let ratio = |key: &str| self.counts.get(key).and_then(Value::as_f64).unwrap_or_default();
        format!(
            "{:>8} {:>7} {:>8} {:>9.2} {:>6.0} px",
            count("screens"),
            count("texts"),
            count("targets"),
            ratio("lowest"),
            ratio("smallest")
        )
    }
}

impl Browser {
    /// Runs the measuring script in a copy of the page, in a frame as wide as a phone.
    fn measure(&self, name: &str, page: &str, dark: bool) -> Result<Measured> {
        // The page itself forbids every script; the copy that is measured has to let one in.
        let open = page.replace("style-src 'unsafe-inline'", "style-src 'unsafe-inline'; script-src 'unsafe-inline'");
        let measured = open.replace("</body>", &format!("<script>{SCRIPT}</script></body>"));
        let frame = self.folder.join("measured.html");
        fs::write(&frame, in_a_frame(&measured)).during("writing the frame")?;
        // It complains about every part of a desktop that is not there.
        let dom = process::capture_whatever(self.chromium(dark).arg("--dump-dom").arg(&frame))?;
        let told = dom.rsplit_once("measured:").and_then(|(_, rest)| rest.split_once('.'));
        let bytes = told.and_then(|(hex, _)| unhex(hex)).ok_or_else(|| unmeasured(name))?;
        let counts: Value = serde_json::from_slice(&bytes).during("reading what was measured")?;
        let seen = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or_default();
        let is_whole = ["screens", "texts", "choices", "targets"].iter().all(|key| seen(key) > 0);
        let is_phone = seen("width") == PHONE && counts.get("dark").and_then(Value::as_bool) == Some(dark);
        if !is_whole || !is_phone {
            return Err(unmeasured(name));
        }
        let faults = counts.get("faults").and_then(Value::as_array).into_iter().flatten();
        let faults = faults.filter_map(|fault| fault.as_str().map(str::to_owned)).collect();
        Ok(Measured { faults, counts })
    }

    /// Takes a picture of a page; a fault if nothing is to be seen on it, or it has the wrong shade.
    fn look(&self, name: &str, page: &Path, dark: bool) -> Result<Option<String>> {
        let picture = self.folder.join(format!("{name}-{}.png", shade(dark)));
        let _ = fs::remove_file(&picture);
        process::capture_whatever(self.chromium(dark).arg(format!("--screenshot={}", picture.display())).arg(page))?;
        let (light, colours) = seen(&picture)?;
        let is_right = if dark { light < 35 } else { light > 65 };
        Ok(match (colours > 16, is_right) {
            (false, _) => Some(format!("the picture has {colours} colours: nothing is to be seen")),
            (true, false) => Some(format!("the picture is {light} % light")),
            (true, true) => None,
        })
    }

    fn chromium(&self, dark: bool) -> Command {
        let mut chromium = Command::new(&self.chromium);
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,2400"]);
        chromium.arg(format!("--user-data-dir={}", self.folder.join("browser").display()));
        chromium.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
        chromium
    }
}

fn unmeasured(name: &str) -> Failure {
    Failure::new(format!("the page of {name} was not measured as a phone shows it"))
}

fn shade(dark: bool) -> &'static str {
    if dark { "dark" } else { "light" }
}

/// A page in a frame as wide as a small phone: a window of Chromium's is never that narrow.
fn in_a_frame(page: &str) -> String {
    let page = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!doctype html><meta charset=utf-8><style>:root {{ color-scheme: light dark }}</style><body>\
         <iframe style=\"border: 0; width: {PHONE}px; height: 900px\" srcdoc=\"{page}\"></iframe></body>"
    )
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let byte = |two: &[u32]| match two {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    digits?.chunks(2).map(byte).collect()
}

/// How light a picture is, in per cent, and how many colours it has.
fn seen(picture: &Path) -> Result<(u64, usize)> {
    let file = fs::File::open(picture).during("opening the picture")?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().during("reading the picture")?;
    let size = reader.output_buffer_size().ok_or_else(|| Failure::new("the picture is too large"))?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).during("reading the picture")?;
    let samples = frame.color_type.samples();
    let pixels: Vec<&[u8]> = bytes.chunks_exact(samples).map(|pixel| pixel.get(..3).unwrap_or(pixel)).collect();
    let sum: u64 = pixels.iter().flat_map(|pixel| pixel.iter()).map(|channel| u64::from(*channel)).sum();
    let channels = pixels.iter().map(|pixel| pixel.len() as u64).sum::<u64>().max(1);
    let colours: BTreeSet<&[u8]> = pixels.into_iter().collect();
    Ok((sum * 100 / (channels * 255), colours.len()))
}
