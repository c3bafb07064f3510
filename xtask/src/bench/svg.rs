//! Small plots as SVG: frequency responses as curves, comparisons as bars. Plain shapes and text, no style sheet, so that
//! every viewer shows them alike.

use std::fmt::Write as _;

/// Colours that people with weak colour vision tell apart (after Okabe and Ito).
const COLOURS: [&str; 6] = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Points a curve keeps at most.
const POINTS: usize = 240;

/// A span of an axis and the distance of its marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) step: f64,
    /// What a mark's number is divided by.
    pub(super) unit: f64,
}

impl Axis {
    fn share(self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn marks(self) -> impl Iterator<Item = f64> {
        let count = ((self.to - self.from) / self.step).round() as usize;
        (0..=count).map(move |n| self.from + self.step * n as f64)
    }
}

/// Curves over two linear axes, with a legend.
pub(super) fn curves(title: &str, x: Axis, y: Axis, curves: &[(String, Vec<(f64, f64)>)]) -> String {
    let (left, top, width, height) = (56.0, 34.0, 560.0, 260.0);
    let mut svg = begin(720.0, 348.0, title);
    let across = |value: f64| left + width * x.share(value);
    let down = |value: f64| top + height * (1.0 - y.share(value));
    for mark in x.marks() {
        let at = across(mark);
        line(&mut svg, (at, top), (at, top + height));
        text(
            &mut svg,
            (at, top + height + 16.0),
            "middle",
            &number(mark / x.unit),
        );
    }
    for mark in y.marks() {
        let at = down(mark);
        line(&mut svg, (left, at), (left + width, at));
        text(&mut svg, (left - 6.0, at + 4.0), "end", &number(mark / y.unit));
    }
    text(
        &mut svg,
        (left + width / 2.0, top + height + 36.0),
        "middle",
        x.label,
    );
    text(&mut svg, (left, top - 8.0), "middle", y.label);
    for ((name, points), (number, colour)) in curves.iter().zip(COLOURS.iter().enumerate()) {
        let kept = thinned(points, x);
        let path: Vec<String> = kept
            .iter()
            .map(|(px, py)| format!("{:.1},{:.1}", across(*px), down(*py)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.4\" points=\"{}\"/>",
            path.join(" ")
        );
        let at = top + 12.0 + 18.0 * number as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"628\" y=\"{:.1}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>",
            at - 6.0
        );
        text(&mut svg, (644.0, at), "start", name);
    }
    svg + "</svg>\n"
}

/// One bar a row, its value written behind it, and a mark at 1.
pub(super) fn bars(title: &str, rows: &[(String, f64)]) -> String {
    let (left, width, step) = (250.0, 400.0, 22.0);
    let most = rows.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let across = |value: f64| left + width * value / most;
    let bottom = 34.0 + step * rows.len() as f64;
    let mut svg = begin(720.0, bottom + 12.0, title);
    for (number, (name, value)) in rows.iter().enumerate() {
        let at = 34.0 + step * number as f64;
        let colour = if *value >= 1.0 { COLOURS[1] } else { COLOURS[0] };
        text(&mut svg, (left - 8.0, at + 13.0), "end", name);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>",
            at + 2.0,
            across(*value) - left
        );
        let shown = super::units::three(*value);
        text(&mut svg, (across(*value) + 6.0, at + 13.0), "start", &shown);
    }
    line(&mut svg, (across(1.0), 30.0), (across(1.0), bottom));
    svg + "</svg>\n"
}

fn begin(width: f64, height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{:.1}\" y=\"16\" text-anchor=\"middle\" font-size=\"14\">{title}</text>\n",
        width / 2.0
    )
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#cccccc\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        at.0,
        at.1,
        escape(words)
    );
}

fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn number(value: f64) -> String {
    format!("{:.1}", value + 0.0).trim_end_matches(".0").to_owned()
}

/// At most [`POINTS`] points, the highest of each piece of the axis: a stop band is as good as its worst ripple.
fn thinned(points: &[(f64, f64)], x: Axis) -> Vec<(f64, f64)> {
    let mut kept: Vec<Option<(f64, f64)>> = vec![None; POINTS];
    for point in points.iter().filter(|(at, _)| (x.from..=x.to).contains(at)) {
        let piece = ((x.share(point.0) * POINTS as f64) as usize).min(POINTS - 1);
        let slot = &mut kept[piece];
        if slot.is_none_or(|best| point.1 > best.1) {
            *slot = Some(*point);
        }
    }
    kept.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Axis = Axis {
        label: "kHz",
        from: 0.0,
        to: 24_000.0,
        step: 4_000.0,
        unit: 1_000.0,
    };
    const Y: Axis = Axis {
        label: "dB",
        from: -140.0,
        to: 0.0,
        step: 20.0,
        unit: 1.0,
    };

    #[test]
    fn a_plot_is_small_and_its_curves_lie_inside() {
        let dense: Vec<(f64, f64)> = (0..24_000)
            .map(|hz| (f64::from(hz), -f64::from(hz) / 100.0))
            .collect();
        let svg = curves("a < b", X, Y, &[("ours".to_owned(), dense)]);
        assert!(svg.len() < 8_000, "{} bytes", svg.len());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("a &lt; b"));
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        for pair in points.split(' ') {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!(
                (56.0..=616.0).contains(&x) && (34.0..=294.0).contains(&y),
                "{pair}"
            );
        }
    }

    #[test]
    fn the_worst_of_a_stop_band_is_what_is_drawn() {
        let points: Vec<(f64, f64)> = (0..2400)
            .map(|n| (f64::from(n) * 10.0, if n == 1205 { -60.0 } else { -100.0 }))
            .collect();
        let kept = thinned(&points, X);
        assert_eq!(kept.len(), POINTS);
        assert!(kept.contains(&(12_050.0, -60.0)));
    }

    #[test]
    fn bars_tell_their_values() {
        let svg = bars(
            "Ratio",
            &[("decimate, rubato".to_owned(), 2.0), ("x".to_owned(), 0.5)],
        );
        assert!(svg.contains(">2.00<") && svg.contains(">0.50<") && svg.contains("width=\"400.0\""));
    }
}
