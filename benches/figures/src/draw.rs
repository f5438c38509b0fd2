//! What the charts have in common: colours, text, a logarithmic axis.

use svg::Document;
use svg::node::element::{Element, Line, Rectangle, TSpan, Text};

/// As wide as GitHub shows a README's pictures.
pub const WIDTH: f64 = 860.0;
/// Free space at the edges.
pub const MARGIN: f64 = 24.0;

/// Colours, for one background.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub name: &'static str,
    pub background: &'static str,
    pub ink: &'static str,
    /// For what is said beside.
    pub muted: &'static str,
    /// For lines of the grid.
    pub faint: &'static str,
    /// For what a chart is about.
    pub accent: &'static str,
    /// For what that is compared with.
    pub other: &'static str,
    /// For lines that are told apart; people with any kind of colour blindness can, by the dashes also.
    pub series: [&'static str; 4],
}

pub const LIGHT: Theme = Theme {
    name: "light",
    background: "#ffffff",
    ink: "#1f2328",
    muted: "#59636e",
    faint: "#d8dee4",
    accent: "#0969da",
    other: "#6e7781",
    series: ["#0969da", "#bc4c00", "#8250df", "#1a7f64"],
};

pub const DARK: Theme = Theme {
    name: "dark",
    background: "#0d1117",
    ink: "#f0f6fc",
    muted: "#9198a1",
    faint: "#30363d",
    accent: "#4493f8",
    other: "#9198a1",
    series: ["#4493f8", "#f0883e", "#bc8cff", "#3fb99a"],
};

/// Where a text stands to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that is being drawn, from the top down.
#[derive(Debug)]
pub struct Canvas {
    pub theme: Theme,
    parts: Vec<Element>,
}

impl Canvas {
    #[must_use]
    pub fn new(theme: Theme) -> Self {
        Self { theme, parts: Vec::new() }
    }

    pub fn add(&mut self, part: impl Into<Element>) {
        self.parts.push(part.into());
    }

    /// Adds a text whose baseline starts, has its middle or ends there.
    pub fn text(&mut self, text: &str, at: (f64, f64), size: f64, fill: &str, anchor: Anchor) {
        self.add(styled(text, at, size, fill, anchor));
    }

    pub fn bold(&mut self, text: &str, at: (f64, f64), size: f64, fill: &str, anchor: Anchor) {
        self.add(styled(text, at, size, fill, anchor).set("font-weight", 600));
    }

    /// Adds a value, and beside it what is said of that. Lines behind do not cross them.
    pub fn value(&mut self, value: &str, beside: &str, at: (f64, f64), size: f64) {
        let beside = TSpan::new(beside).set("dx", 8).set("fill", self.theme.muted);
        let text = styled(value, at, size, self.theme.ink, Anchor::Start).add(beside);
        self.add(
            text.set("stroke", self.theme.background).set("stroke-width", 3).set("paint-order", "stroke"),
        );
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let line = Line::new().set("x1", round(from.0)).set("y1", round(from.1));
        let line = line.set("x2", round(to.0)).set("y2", round(to.1));
        self.add(line.set("stroke", stroke).set("stroke-width", width).set("stroke-linecap", "round"));
    }

    /// Adds lines of small text, broken where they get too long, and returns where the next would be.
    pub fn paragraph(&mut self, text: &str, mut y: f64) -> f64 {
        let size = 11.0;
        let columns = ((WIDTH - 2.0 * MARGIN) / width("n", size)) as usize;
        for line in text.lines().flat_map(|line| wrap(line, columns)) {
            self.text(&line, (MARGIN, y), size, self.theme.muted, Anchor::Start);
            y += 16.0;
        }
        y
    }

    /// The document, with what a screen reader tells of it.
    #[must_use]
    pub fn finish(self, height: f64, title: &str, description: &str) -> String {
        let background = Rectangle::new().set("width", WIDTH).set("height", height).set("rx", 6);
        let mut document = Document::new()
            .set("viewBox", (0.0, 0.0, WIDTH, height))
            .set("width", WIDTH)
            .set("height", height)
            .set("role", "img")
            .set("aria-label", format!("{title}. {description}").replace('&', "&amp;").replace('"', "&quot;"))
            .set(
                "font-family",
                "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif",
            )
            .add(background.set("fill", self.theme.background));
        for part in self.parts {
            document = document.add(part);
        }
        format!("{document}\n")
    }
}

/// A logarithmic axis: powers of ten, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    low: i32,
    high: i32,
    /// Where it starts and ends.
    range: (f64, f64),
}

impl Axis {
    /// One that has all these values, from a power of ten to another.
    ///
    /// # Panics
    ///
    /// If there are none, or they are no positive numbers.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>, range: (f64, f64)) -> Self {
        let (low, high) = values.into_iter().fold((f64::MAX, 0.0_f64), |(low, high), value| {
            assert!(value > 0.0 && value.is_finite(), "{value} has no place on a logarithmic axis");
            (low.min(value), high.max(value))
        });
        assert!(high > 0.0, "an axis of nothing");
        let (low, high) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        Self { low, high: high.max(low + 1), range }
    }

    #[must_use]
    pub fn at(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// The powers of ten.
    pub fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}

/// About how wide a text is: fonts differ.
#[must_use]
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.54
}

/// For the file: a tenth of a pixel is enough.
#[must_use]
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn styled(text: &str, (x, y): (f64, f64), size: f64, fill: &str, anchor: Anchor) -> Text {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    Text::new(text)
        .set("x", round(x))
        .set("y", round(y))
        .set("font-size", size)
        .set("fill", fill)
        .set("text-anchor", anchor)
}

fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_can_be_seen() {
        for theme in [LIGHT, DARK] {
            for text in [theme.ink, theme.muted, theme.accent] {
                assert!(contrast(text, theme.background) >= 4.5, "text {text} on {}", theme.name);
            }
            for mark in theme.series.into_iter().chain([theme.other]) {
                assert!(contrast(mark, theme.background) >= 3.0, "mark {mark} on {}", theme.name);
            }
        }
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    }

    /// By the Web Content Accessibility Guidelines: from 1 to 21.
    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour");
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    #[test]
    fn an_axis_spaces_powers_of_ten_evenly() {
        let axis = Axis::of([0.26, 8.8e6], (100.0, 900.0));
        assert_eq!(axis.ticks().count(), 9);
        assert_eq!(axis.at(0.1), 100.0);
        assert_eq!(round(axis.at(1e3)), 500.0);
        assert_eq!(round(axis.at(1e7)), 900.0);
        assert_eq!(Axis::of([1.0], (0.0, 1.0)).ticks().count(), 2);
    }

    #[test]
    fn long_lines_are_broken() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
    }
}
