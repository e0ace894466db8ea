//! Plots as SVG: lines over a logarithmic axis, readable on light and dark pages.

use std::fmt::Write;
use std::path::Path;

use crate::queue::{GLEAN, JOURNAL, REDB, SQLCIPHER, SQLITE};

/// The points of one contender.
pub struct Line {
    pub name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    pub fn new(name: &'static str) -> Self {
        Self { name, points: Vec::new() }
    }

    pub fn point(&mut self, across: f64, up: f64) {
        if across > 0.0 && up.is_finite() && up > 0.0 {
            self.points.push((across, up));
        }
    }
}

pub struct Axes {
    pub title: &'static str,
    pub across: &'static str,
    pub up: &'static str,
    /// Whether the axis upwards is logarithmic; it begins at 0 otherwise.
    pub log_up: bool,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// The same for a contender in every plot, and such that people who see few colours can tell them apart.
fn colour(name: &str) -> &'static str {
    match name {
        JOURNAL => "#d55e00",
        SQLITE => "#0072b2",
        SQLCIPHER => "#009e73",
        REDB => "#cc79a7",
        GLEAN => "#e69f00",
        _ => "#7f7f7f",
    }
}

struct Scale {
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone, log: bool) -> Self {
        let most = values.clone().fold(f64::MIN, f64::max);
        let least = values.fold(f64::MAX, f64::min);
        let (from, to) = if log { (least / 1.3, most * 1.3) } else { (0.0, most * 1.1) };
        Self { from, to, log }
    }

    /// From 0 to 1.
    fn at(&self, value: f64) -> f64 {
        if self.log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    fn ticks(&self) -> Vec<f64> {
        if self.log {
            let decades = (self.from.log10().floor() as i32)..=(self.to.log10().ceil() as i32);
            let parts: &[f64] = if self.to / self.from > 200.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let all = decades.flat_map(|power| parts.iter().map(move |part| part * 10f64.powi(power)));
            return all.filter(|tick| (self.from..=self.to).contains(tick)).collect();
        }
        let rough = self.to / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..).map(|count| f64::from(count) * step).take_while(|tick| *tick <= self.to).collect()
    }
}

fn label(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", value / 1e6),
        _ if value >= 1e4 => format!("{} k", value / 1e3),
        _ => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}

/// Writes a plot of at most six lines.
pub fn write(path: &Path, axes: &Axes, lines: &[Line]) {
    let points = lines.iter().flat_map(|line| line.points.iter());
    if points.clone().next().is_none() {
        return;
    }
    let across = Scale::of(points.clone().map(|(x, _)| *x), true);
    let up = Scale::of(points.map(|(_, y)| *y), axes.log_up);
    let x = |value: f64| LEFT + across.at(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - up.at(value) * (HEIGHT - TOP - BOTTOM);
    let mut out = String::new();
    let _ = writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{}</text>"##,
        axes.title
    );
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in across.ticks() {
        let at = x(tick);
        let _ = writeln!(
            out,
            r##"<path d="M{at:.1} {TOP}V{bottom}" stroke="#e5e5e5"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"##,
            bottom + 18.0,
            label(tick)
        );
    }
    for tick in up.ticks() {
        let at = y(tick);
        let _ = writeln!(
            out,
            r##"<path d="M{LEFT} {at:.1}H{right}" stroke="#e5e5e5"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"##,
            LEFT - 8.0,
            at + 4.0,
            label(tick)
        );
    }
    let middle = f64::midpoint(LEFT, right);
    let _ = writeln!(
        out,
        r##"<text x="{middle}" y="{:.1}" text-anchor="middle">{}</text><text x="16" y="{:.1}" transform="rotate(-90 16 {:.1})" text-anchor="middle">{}</text>"##,
        HEIGHT - 10.0,
        axes.across,
        HEIGHT / 2.0,
        HEIGHT / 2.0,
        axes.up
    );
    let drawn = lines.iter().map(|line| (line, colour(line.name))).filter(|(line, _)| !line.points.is_empty());
    // Names stand at the ends of their lines, moved apart where those are close.
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for (line, colour) in drawn {
        let path: Vec<String> = line.points.iter().map(|(px, py)| format!("{:.1} {:.1}", x(*px), y(*py))).collect();
        let width = if line.name == JOURNAL { 3 } else { 2 };
        let _ =
            writeln!(out, r##"<path d="M{}" fill="none" stroke="{colour}" stroke-width="{width}"/>"##, path.join("L"));
        for (px, py) in &line.points {
            let _ = writeln!(out, r##"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{colour}"/>"##, x(*px), y(*py));
        }
        names.push((line.points.last().map_or(TOP, |(_, py)| y(*py)), line.name, colour));
    }
    names.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = TOP;
    for (at, name, colour) in names {
        let at = at.max(lowest);
        lowest = at + 16.0;
        let _ = writeln!(out, r##"<text x="{:.1}" y="{:.1}" fill="{colour}">{name}</text>"##, right + 6.0, at + 4.0);
    }
    out.push_str("</svg>\n");
    std::fs::write(path, out).expect("a plot");
    println!("plot: {}", path.display());
}
