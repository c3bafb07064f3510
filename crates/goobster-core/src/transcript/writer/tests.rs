//! What players would read back from the files, hostile names and texts included.

use proptest::prelude::*;

use super::*;
use crate::transcript::{CaptionKind, caption};

fn file(format: CaptionFormat, captions: &[Caption]) -> String {
    let mut writer = CaptionWriter::new(format, Vec::new()).unwrap();
    for caption in captions {
        writer.append(caption).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn millis(stamp: &str) -> u64 {
    let (clock, millis) = stamp.split_once([',', '.']).unwrap();
    let parts: Vec<u64> = clock.split(':').map(|p| p.parse().unwrap()).collect();
    ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + millis.parse::<u64>().unwrap()
}

/// A strict reader of cue blocks: (start, end, body lines).
fn blocks(text: &str) -> Vec<(u64, u64, Vec<String>)> {
    let mut cues = Vec::new();
    for block in text
        .split("\n\n")
        .filter(|b| !b.trim().is_empty() && *b != "WEBVTT")
    {
        let mut lines = block.lines();
        let mut timing = lines.next().unwrap();
        if !timing.contains(" --> ") {
            assert_eq!(
                timing.parse::<usize>().unwrap(),
                cues.len() + 1,
                "SubRip numbers count from 1"
            );
            timing = lines.next().unwrap();
        }
        let (start, end) = timing.split_once(" --> ").unwrap();
        cues.push((millis(start), millis(end), lines.map(str::to_owned).collect()));
    }
    cues
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[test]
fn each_format_looks_as_people_know_it() {
    let mut reply = caption("Goobster", 3_661_001, 3_662_500, "It is noon.");
    reply.kind = CaptionKind::Reply;
    let captions = [caption("Ada", 1000, 2500, "What time is it?"), reply];
    assert_eq!(
        file(CaptionFormat::SubRip, &captions),
        "1\n00:00:01,000 --> 00:00:02,500\nAda: What time is it?\n\n\
         2\n01:01:01,001 --> 01:01:02,500\nGoobster: It is noon.\n\n"
    );
    assert_eq!(
        file(CaptionFormat::WebVtt, &captions),
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<v Ada>What time is it?\n\n\
         01:01:01.001 --> 01:01:02.500\n<v Goobster>It is noon.\n\n"
    );
    assert_eq!(
        file(CaptionFormat::Text, &captions),
        "[00:00:01] Ada: What time is it?\n[01:01:01] Goobster: It is noon.\n"
    );
    let json: Vec<Caption> = serde_json::from_str(&file(CaptionFormat::Json, &captions)).unwrap();
    assert_eq!(json, captions);
}

#[test]
fn an_empty_transcript_is_still_a_file() {
    assert_eq!(file(CaptionFormat::SubRip, &[]), "");
    assert_eq!(file(CaptionFormat::WebVtt, &[]), "WEBVTT\n\n");
    assert_eq!(file(CaptionFormat::Json, &[]), "[]\n");
}

#[test]
fn a_hostile_name_cannot_end_a_cue_or_open_a_tag() {
    let hostile = caption(
        "Eve\n\n99\n00:00:00,000 --> 00:00:09,000<b>",
        0,
        900,
        "a --> b <i>&\r\n\r\nSTYLE\u{2028}{\\an8}",
    );
    let vtt = file(CaptionFormat::WebVtt, std::slice::from_ref(&hostile));
    assert_eq!(vtt.matches("-->").count(), blocks(&vtt).len(), "{vtt}");
    assert!(
        vtt.contains("<v Eve 99 00:00:00,000 --&gt; 00:00:09,000&lt;b&gt;>"),
        "{vtt}"
    );
    let srt = file(CaptionFormat::SubRip, &[hostile]);
    assert_eq!(srt.matches("-->").count(), blocks(&srt).len(), "{srt}");
    assert!(!srt.contains(['<', '{']), "{srt}");
}

#[test]
fn a_speaker_without_a_name_has_no_tag_and_nan_is_no_confidence() {
    let mut nobody = caption(" \n", 0, 5, "hello");
    nobody.confidence = f32::NAN;
    assert!(!file(CaptionFormat::WebVtt, std::slice::from_ref(&nobody)).contains("<v"));
    assert_eq!(
        file(CaptionFormat::Text, std::slice::from_ref(&nobody)),
        "[00:00:00] hello\n"
    );
    let back: Vec<Caption> = serde_json::from_str(&file(CaptionFormat::Json, &[nobody])).unwrap();
    assert!(back[0].confidence.abs() < f32::EPSILON);
}

#[test]
fn a_full_disk_is_an_error() {
    let mut small = [0_u8; 12];
    let mut writer = CaptionWriter::new(CaptionFormat::WebVtt, small.as_mut_slice()).unwrap();
    assert_eq!(
        writer.append(&caption("a", 0, 1, "words")).unwrap_err().kind(),
        io::ErrorKind::WriteZero
    );
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        texts in proptest::collection::vec(("(?s).{0,24}", "(?s).{0,160}", 0_u64..500_000_000, 0_u64..30_000), 0..8),
    ) {
        let captions: Vec<Caption> =
            texts.iter().map(|(who, text, start, length)| caption(who, *start, start + length, text)).collect();
        let words = |text: &str| -> String { one_line(text).chars().filter(|c| *c != ' ').collect() };
        let said: String = captions.iter().map(|c| words(&c.text)).collect();

        let vtt = blocks(&file(CaptionFormat::WebVtt, &captions));
        let body: String = vtt.iter().map(|(_, _, lines)| {
            let body = lines.join(" ");
            // A name of which nothing visible is left has no tag.
            let text = match body.split_once('>') {
                Some((tag, text)) => {
                    assert!(tag.starts_with("<v "));
                    text
                }
                None => &body,
            };
            assert!(!text.contains(['<', '>']));
            words(&unescaped(text))
        }).collect();
        prop_assert_eq!(body, said.clone());

        let srt = blocks(&file(CaptionFormat::SubRip, &captions));
        for (start, end, lines) in srt.iter().chain(&vtt) {
            prop_assert!(start < end);
            prop_assert!(!lines.is_empty() && lines.len() <= 2);
        }

        let json: Vec<Caption> = serde_json::from_str(&file(CaptionFormat::Json, &captions)).unwrap();
        let spoken: String = json.iter().map(|c| words(&c.text)).collect();
        prop_assert_eq!(spoken, said);
    }
}
