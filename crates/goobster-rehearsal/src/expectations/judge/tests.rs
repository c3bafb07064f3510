//! Claims held against timelines made by hand.

use super::*;
use crate::scenario::Fault;
use crate::timeline::{self, Asked, Caption, Company, Exit, Message, Place, Revision, Sound, Speech, Vital};

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

fn place(ms: u64, channel: Option<&str>, connected: bool) -> Place {
    Place {
        at: at(ms),
        channel: channel.map(str::to_owned),
        connected,
    }
}

/// The bot listens from 1 s on; Ann speaks from 2 s to 4 s and is captioned at 4.7 s; a reply is heard from 5 s to 6 s; the
/// voice server moves at 11 s, the bot is back at 13 s; at 20 s it is told to stop.
fn scene() -> Timeline {
    let words = "ask not what your country";
    let caption = |name: &str, text: &str, from: u64, firm: u64| Caption {
        channel: "general".into(),
        name: name.into(),
        is_reply: name == "Goobster",
        stamp: at(from),
        revisions: vec![
            Revision {
                at: at(from + 800),
                words: "ask".into(),
                is_final: false,
            },
            Revision {
                at: at(firm),
                words: text.into(),
                is_final: true,
            },
        ],
        deleted: None,
    };
    Timeline {
        over: at(25_000),
        bot: "Goobster".into(),
        events: [
            ("start.began".to_owned(), at(100)),
            ("stop".to_owned(), at(20_000)),
            ("move".to_owned(), at(11_000)),
        ]
        .into(),
        speeches: vec![Speech {
            label: "hello".into(),
            member: "Ann".into(),
            clip: "jfk.wav".into(),
            text: Some(words.into()),
            from: at(2_000),
            to: at(4_200),
            voice_from: at(2_000),
            end_of_speech: at(4_000),
            loss: 0.0,
            sent: true,
        }],
        captions: vec![
            caption("Ann", words, 2_000, 4_700),
            caption("Goobster", "a fine speech", 4_000, 4_900),
        ],
        messages: vec![Message {
            at: at(1_100),
            channel: "general".into(),
            words: "I listen here.".into(),
            revisions: vec![(at(1_100), "I listen here.".into())],
            hidden: false,
            notice: true,
            buttons: Vec::new(),
            files: Vec::new(),
            answers: None,
            deleted: None,
        }],
        sounds: vec![Sound {
            from: at(5_000),
            to: at(6_000),
        }],
        places: vec![
            place(0, None, false),
            place(700, Some("Lounge"), false),
            place(1_000, Some("Lounge"), true),
            place(11_010, Some("Lounge"), false),
            place(13_000, Some("Lounge"), true),
            place(20_500, None, false),
        ],
        company: vec![Company {
            at: at(0),
            members: vec![("Ann".into(), "Lounge".into())],
        }],
        exits: vec![Exit {
            at: at(26_000),
            code: Some(0),
            asked: Asked::End,
        }],
        ..Timeline::default()
    }
}

fn holds(timeline: &Timeline, text: &str) -> bool {
    let whole = format!(
        "title = \"t\"\nmembers = [\"Ann\"]\n[[step]]\nlabel = \"start\"\n[[step]]\nlabel = \"hello\"\nmember = \"Ann\"\nclip = \"a\"\n\
         [[step]]\nlabel = \"move\"\n[[step]]\nlabel = \"stop\"\n[[expect]]\n{text}\n"
    );
    let scenario = crate::Scenario::parse(&whole).unwrap_or_else(|e| panic!("{text}: {e}"));
    let figures = Figures::of(timeline);
    let recordings = HashMap::new();
    let evidence = Evidence {
        heard: &[],
        timeline,
        figures: &figures,
        sound: (&[], Duration::ZERO),
        recordings: &recordings,
    };
    judge(&scenario.expectations[0], evidence).met
}

#[test]
fn claims_hold_when_they_are_true_and_only_then() {
    let scene = scene();
    for (claim, expected) in [
        ("caption = \"hello\"", true),
        ("caption = \"hello\"\nwithin = 0.8", true),
        ("caption = \"hello\"\nwithin = 0.6", false),
        ("no_caption = \"Ann\"", false),
        ("no_caption = \"Ann\"\nafter = \"move\"", true),
        ("reply = \"fine speech\"", true),
        ("reply = \"bad speech\"", false),
        ("reply = \"\"\nafter = \"move\"", false),
        ("message = \"listen\"", true),
        ("message = \"listen\"\nafter = \"move\"", false),
        ("no_message = \"goodbye\"", true),
        (
            "bot = \"listening\"\nafter = \"start.began\"\nwithin = 0.95",
            true,
        ),
        (
            "bot = \"listening\"\nafter = \"start.began\"\nwithin = 0.8",
            false,
        ),
        ("bot = \"in\"\nafter = \"start.began\"\nwithin = 0.8", true),
        ("bot = \"listening\"\nafter = \"move\"\nwithin = 1", false),
        ("bot = \"listening\"\nafter = \"move\"\nwithin = 3", true),
        ("bot = \"out\"\nafter = \"stop\"\nwithin = 1", true),
        ("bot = \"out\"", true),
        ("returns = false\nafter = \"stop\"", true),
        ("returns = false\nafter = \"move\"", true),
        ("session_kept = true", false),
        ("nothing_lost = true", true),
        ("caption_within = 1.0\nreply_within = 1.5", true),
        ("reply_within = 0.9", false),
        ("exit_code = 0", true),
        ("exit_code = 1", false),
        ("audible = true", true),
        ("audible = false\nafter = \"move\"", true),
        ("audible = false", false),
    ] {
        assert_eq!(holds(&scene, claim), expected, "{claim}");
    }
}

#[test]
fn a_session_is_kept_through_short_silences_only() {
    let mut scene = scene();
    scene.over = at(20_000);
    assert!(holds(&scene, "session_kept = true"));
    scene.places[4] = place(21_100, Some("Lounge"), true);
    assert!(!holds(&scene, "session_kept = true"));
}

#[test]
fn what_could_be_heard_and_is_not_there_is_lost() {
    let whole = scene();
    let mut scene = whole.clone();
    scene.captions.remove(0);
    assert!(!holds(&scene, "nothing_lost = true"));
    // Nobody can caption what was swallowed, or what the speaker left behind.
    let fault = |order: Fault, ms: u64, lasts: Option<u64>| timeline::Fault {
        label: "f".into(),
        at: at(ms),
        until: lasts.map(|l| at(ms + l)),
        what: order.to_string(),
        hit: true,
        order,
    };
    scene.faults.push(fault(
        Fault::BlackHole(Duration::from_secs(1)),
        3_000,
        Some(1_000),
    ));
    assert!(holds(&scene, "nothing_lost = true"));
    scene.faults.clear();
    scene.company.push(Company {
        at: at(4_500),
        members: Vec::new(),
    });
    assert!(holds(&scene, "nothing_lost = true"));
    // An unfinished caption is lost, unless the bot was killed over it.
    let mut scene = whole;
    scene.captions[0].revisions.pop();
    scene.speeches[0].sent = false;
    assert!(!holds(&scene, "nothing_lost = true"));
    scene.faults.push(fault(Fault::KillBot, 5_000, None));
    assert!(holds(&scene, "nothing_lost = true"));
}

#[test]
fn memory_is_flat_or_grows() {
    let mut scene = scene();
    scene.over = at(600_000);
    // It settles within a minute, then gains a hundredth a minute.
    let bytes = |n: u64| (100 << 20) + (1 << 20) * n / 12 + if n < 12 { 5 << 20 } else { 0 };
    let vital = |n| Vital {
        at: at(n * 5_000),
        memory: bytes(n),
        threads: 9,
        descriptors: 20 + n,
    };
    scene.vitals = (0..120).map(vital).collect();
    scene.events.insert("stop".into(), at(60_000));
    assert!(holds(&scene, "memory_growth = 9\nafter = \"stop\""));
    assert!(!holds(&scene, "memory_growth = 7\nafter = \"stop\""));
    assert!(!holds(&scene, "leftovers = 1\nafter = \"stop\""));
    for vital in &mut scene.vitals {
        vital.descriptors = 20;
    }
    assert!(holds(&scene, "leftovers = 1\nafter = \"stop\""));
    scene.vitals.last_mut().unwrap().threads = 11;
    assert!(!holds(&scene, "leftovers = 1\nafter = \"stop\""));
    scene.vitals.clear();
    assert!(!holds(&scene, "memory_growth = 9"));
    assert!(!holds(&scene, "leftovers = 1"));
}

#[test]
fn what_never_happened_fails_with_a_word() {
    let mut scene = scene();
    scene.events.remove("move");
    assert!(!holds(&scene, "audible = false\nafter = \"move\""));
}
