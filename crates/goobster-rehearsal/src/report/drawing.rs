//! The timeline as a drawing: a lane for where the bot is, one for each member, for captions, replies, the bot's sound, and
//! what broke. Plain SVG whose colours come from the page.

use std::fmt::Write as _;
use std::time::Duration;

use goobster_core::time::Moment;

use super::answers;
use super::markup::{Safe, cut};
use crate::timeline::{Caption, Timeline};

/// Pixels a second, at least and at most.
const SCALE: (f64, f64) = (4.0, 60.0);
/// The drawing is about this wide where the rehearsal's length allows it.
const WIDE: f64 = 1_600.0;
/// Where lanes begin: left of it stand their names.
const LEFT: f64 = 110.0;
/// A lane's height.
const LANE: f64 = 34.0;
/// The height of what is drawn in a lane.
const BAR: f64 = 22.0;
/// The height of the scale at the top.
const TOP: f64 = 26.0;
/// Members that get a lane of their own.
const MOST_LANES: usize = 24;
/// Width of a letter, about.
const LETTER: f64 = 6.6;

struct Drawing {
    svg: String,
    scale: f64,
    lanes: Vec<String>,
}

impl Drawing {
    fn x(&self, at: Moment) -> f64 {
        LEFT + at.as_secs_f64() * self.scale
    }

    /// A bar with as many of its words as fit, all of them when one points at it.
    fn bar(&mut self, lane: usize, (from, to): (Moment, Moment), class: &str, words: &str, hint: &str) {
        let (x, y) = (self.x(from), y(lane));
        let width = (self.x(to) - x).max(3.0);
        let letters = (width / LETTER) as usize;
        let _ = write!(
            self.svg,
            "<g class=\"{class}\"><title>{}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"4\"/>",
            Safe(hint)
        );
        if letters >= 3 && !words.is_empty() {
            let _ = write!(
                self.svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 4.0,
                y + BAR - 7.0,
                Safe(&cut(words, letters.saturating_sub(1)))
            );
        }
        self.svg.push_str("</g>");
    }

    fn mark(&mut self, lane: usize, at: Moment, class: &str, hint: &str) {
        let (x, y) = (self.x(at), y(lane));
        let _ = write!(
            self.svg,
            "<g class=\"{class}\"><title>{}</title><path d=\"M{x:.1} {y:.1} l7 11 l-7 11 l-7 -11 z\"/></g>",
            Safe(hint)
        );
    }
}

/// Where what is drawn in a lane begins.
fn y(lane: usize) -> f64 {
    TOP + lane as f64 * LANE + (LANE - BAR) / 2.0
}

/// Draws a timeline.
pub(super) fn draw(timeline: &Timeline) -> String {
    let length = timeline.over.as_secs_f64().max(1.0);
    let scale = ((WIDE - LEFT) / length).clamp(SCALE.0, SCALE.1);
    let mut people: Vec<String> = Vec::new();
    let spoke = timeline.speeches.iter().map(|s| &s.member);
    for person in spoke.chain(timeline.requests.iter().map(|r| &r.member)) {
        if !people.contains(person) && people.len() < MOST_LANES {
            people.push(person.clone());
        }
    }
    let mut lanes = vec![timeline.bot.clone()];
    for person in &people {
        lanes.extend([person.clone(), "· captions".to_owned()]);
    }
    lanes.extend([
        "replies".to_owned(),
        "bot's voice".to_owned(),
        "faults".to_owned(),
    ]);
    let (width, height) = (
        LEFT + length * scale + 30.0,
        TOP + lanes.len() as f64 * LANE + 8.0,
    );
    let mut drawing = Drawing {
        svg: String::new(),
        scale,
        lanes,
    };
    let _ = write!(
        drawing.svg,
        "<svg id=\"timeline\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"Timeline of the rehearsal\" xmlns=\"http://www.w3.org/2000/svg\">"
    );
    ruler(&mut drawing, length, height);
    for (n, name) in drawing.lanes.clone().iter().enumerate() {
        let y = TOP + n as f64 * LANE;
        let _ = write!(
            drawing.svg,
            "<line class=\"rule\" x1=\"0\" x2=\"{width:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"lane\" x=\"6\" y=\"{:.1}\">{}</text>",
            y + LANE / 2.0 + 4.0,
            Safe(&cut(name, 15))
        );
    }
    whereabouts(&mut drawing, timeline);
    for (n, person) in people.iter().enumerate() {
        member(&mut drawing, timeline, person, 1 + 2 * n);
    }
    bottom(&mut drawing, timeline, 1 + 2 * people.len());
    drawing.svg.push_str("</svg>");
    drawing.svg
}

fn ruler(drawing: &mut Drawing, length: f64, height: f64) {
    // A tick about every 80 pixels, at a round number of seconds.
    let round = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];
    let step = round
        .into_iter()
        .find(|s| *s as f64 * drawing.scale >= 80.0)
        .unwrap_or(3_600);
    for second in (0..=length as u64).step_by(step) {
        let x = drawing.x(Moment::from_millis(second * 1_000));
        let (minutes, seconds) = (second / 60, second % 60);
        let _ = write!(
            drawing.svg,
            "<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{height:.0}\"/><text class=\"time\" x=\"{x:.1}\" y=\"16\">{minutes}:{seconds:02}</text>"
        );
    }
}

fn whereabouts(drawing: &mut Drawing, timeline: &Timeline) {
    for (n, place) in timeline
        .places
        .iter()
        .enumerate()
        .filter(|(_, p)| p.at < timeline.over)
    {
        let until = timeline
            .places
            .get(n + 1)
            .map_or(timeline.over, |p| p.at.min(timeline.over));
        let Some(channel) = &place.channel else { continue };
        let (class, told) = if place.connected {
            ("listens", "listens in")
        } else {
            ("deaf", "is in, without voice,")
        };
        let hint = format!("{} {told} {channel}: {} to {until}", timeline.bot, place.at);
        drawing.bar(0, (place.at, until), class, channel, &hint);
    }
    for exit in &timeline.exits {
        let code = exit
            .code
            .map_or("by a signal".to_owned(), |c| format!("with exit code {c}"));
        drawing.mark(
            0,
            exit.at.min(timeline.over),
            "fault",
            &format!("the process ended {code} at {}", exit.at),
        );
    }
}

fn member(drawing: &mut Drawing, timeline: &Timeline, person: &str, lane: usize) {
    for speech in timeline.speeches.iter().filter(|s| s.member == person) {
        let words = speech.text.as_deref().unwrap_or(&speech.clip);
        let class = if speech.sent { "speech" } else { "unsent" };
        let hint = format!(
            "{person} ({}): {words}\n{} to {}",
            speech.label, speech.voice_from, speech.end_of_speech
        );
        drawing.bar(
            lane,
            (speech.voice_from, speech.end_of_speech),
            class,
            words,
            &hint,
        );
    }
    for request in timeline.requests.iter().filter(|r| r.member == person) {
        let answered = request
            .answered
            .map_or("not answered".to_owned(), |a| format!("answered at {a}"));
        drawing.mark(
            lane,
            request.at,
            "request",
            &format!("{} at {}, {answered}", request.what, request.at),
        );
    }
    for caption in timeline
        .captions
        .iter()
        .filter(|c| !c.is_reply && c.name == person)
    {
        captioned(drawing, timeline, caption, lane + 1);
    }
}

fn captioned(drawing: &mut Drawing, timeline: &Timeline, caption: &Caption, lane: usize) {
    let last = caption.revisions.last().map_or(caption.created(), |r| r.at);
    let settled = caption.final_at().unwrap_or(last);
    if settled > caption.created() {
        let hint = format!(
            "{}: {} revisions from {} on",
            caption.name,
            caption.revisions.len(),
            caption.created()
        );
        drawing.bar(lane, (caption.created(), settled), "partial", "", &hint);
    }
    let class = match (caption.final_at(), caption.is_reply) {
        (None, _) => "unfinished",
        (Some(_), true) => "reply",
        (Some(_), false) => "caption",
    };
    // The final words stay: their bar is as long as they need, up to the end of the drawing.
    let needed = Duration::from_secs_f64(
        ((caption.words().chars().count() + 2) as f64 * LETTER / drawing.scale).clamp(0.2, 6.0),
    );
    let next = timeline
        .captions
        .iter()
        .filter(|c| c.name == caption.name && c.created() > caption.created())
        .map(Caption::created)
        .min();
    let until = settled
        .after(needed)
        .min(timeline.over.max(settled))
        .min(next.unwrap_or(Moment::NEVER).max(settled));
    let hint = format!("{}: {}\nfinal at {settled}", caption.name, caption.words());
    drawing.bar(lane, (settled, until), class, caption.words(), &hint);
}

fn bottom(drawing: &mut Drawing, timeline: &Timeline, lane: usize) {
    for caption in timeline.captions.iter().filter(|c| c.is_reply) {
        captioned(drawing, timeline, caption, lane);
    }
    for sound in &timeline.sounds {
        let to = answers(timeline, *sound).map_or(String::new(), |label| format!(" answers '{label}'"));
        let hint = format!("heard{to}: {} to {}", sound.from, sound.to);
        drawing.bar(lane + 1, (sound.from, sound.to), "sound", to.trim(), &hint);
    }
    for fault in &timeline.faults {
        let missed = if fault.hit { "" } else { " (nothing to break)" };
        let hint = format!("{}{missed} at {}", fault.what, fault.at);
        match fault.until {
            Some(until) => drawing.bar(lane + 2, (fault.at, until), "fault", &fault.what, &hint),
            None => drawing.mark(lane + 2, fault.at, "fault", &hint),
        }
    }
}
