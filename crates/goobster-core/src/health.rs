//! Hearing health: whether everybody who sends is really heard.
//!
//! A voice library drops what it cannot decrypt without a word, so deafness shows only as an absence: a client that stops
//! talking sends five packets of digital silence, which are never encrypted end to end. One whose packets vanish in the
//! middle of a word sends none; one whose packets never came through sends them after a gap in its numbering. A pure state machine that counts
//! what came of each speaker, notices within [`HealthConfig`]'s times who sends but is not heard, and asks for healing
//! (joining anew), at most once a minute and once for the same cause.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::UserId;
use crate::time::Moment;

/// When somebody counts as unheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthConfig {
    /// A stream that broke off in the middle of speech is suspicious after this long: 2 s. Less, and a bad network is
    /// taken for deafness.
    pub broken_off: Duration,
    /// Somebody who was announced as sending must be heard after this long: 3 s.
    pub announced: Duration,
    /// Packets in a row that make no sense: 25, half a second.
    pub undecodable: u32,
    /// Packets that are missing before somebody falls silent: 25. Less is a bad network.
    pub missing: u32,
    /// Frames in a row of which nobody knows whose they are, before the channel is joined anew to learn it: 50, a second.
    pub unknown: u32,
    /// How often in a row that is tried: 3. What is still nobody's then belongs to no member.
    pub unknown_heals: u32,
    /// Time between two healings: a minute.
    pub heal_every: Duration,
    /// Speakers that are counted at most: 100, more than fit into a voice channel.
    pub speakers: usize,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            broken_off: Duration::from_secs(2),
            announced: Duration::from_secs(3),
            undecodable: 25,
            missing: 25,
            unknown: 50,
            unknown_heals: 3,
            heal_every: Duration::from_mins(1),
            speakers: 100,
        }
    }
}

/// What 20 ms of a speaker's stream turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Sound.
    Voice,
    /// Digital silence, which a client sends when it stops.
    Silence,
    /// Lost on the way.
    Concealed,
    /// Nothing that a decoder understands.
    Undecodable,
}

/// What happened. Send a [`HealthEvent::Tick`] every half second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthEvent {
    /// Somebody is in the channel and may be heard.
    Present {
        /// Who.
        who: UserId,
    },
    /// They left, or may not be heard any more.
    Absent {
        /// Who.
        who: UserId,
    },
    /// Discord says that they begin to send.
    Announced {
        /// Who.
        who: UserId,
    },
    /// A frame of theirs came.
    Frame {
        /// Whose.
        who: UserId,
        /// What it was.
        kind: FrameKind,
    },
    /// So many packets of theirs, by their numbers, never came, before one that did.
    Skipped {
        /// Whose.
        who: UserId,
        /// How many.
        packets: u32,
    },
    /// A frame came of which nobody knows whose it is.
    Unknown,
    /// Words of theirs were captioned.
    Words {
        /// Whose.
        who: UserId,
        /// How many.
        count: u64,
    },
    /// Their microphone was turned off or on.
    Muted {
        /// Whose.
        who: UserId,
        /// Whether it is off.
        muted: bool,
    },
    /// The channel was joined anew: every stream begins again.
    Rejoined,
    /// Time has passed.
    Tick,
}

/// Why somebody counts as unheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deafness {
    /// Their stream broke off in the middle of speech.
    BrokenOff,
    /// They fell silent, and what they said before never came.
    Missed,
    /// They were announced, but nothing came.
    NothingCame,
    /// What comes makes no sense.
    Undecodable,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthEffect {
    /// Somebody sends but is not heard.
    Deaf {
        /// Who.
        who: UserId,
        /// How that shows.
        why: Deafness,
    },
    /// They are heard again.
    HearsAgain {
        /// Who.
        who: UserId,
    },
    /// Join the channel anew.
    Heal,
}

/// Whether a speaker is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Hears {
    /// Sound of theirs was decoded, and nothing speaks against it now.
    Yes,
    /// They send but are not heard.
    No,
    /// They have not sent anything yet.
    #[default]
    NotYet,
}

/// What came of one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpeakerHealth {
    /// Packets that came.
    pub packets: u64,
    /// Of these, those that made no sense.
    pub undecodable: u64,
    /// Packets that were lost.
    pub concealed: u64,
    /// Frames that were decoded.
    pub decoded: u64,
    /// Words that were captioned.
    pub words: u64,
    /// Whether they are heard.
    pub hears: Hears,
}

/// Where a speaker's stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stream {
    /// Nothing is expected.
    #[default]
    Quiet,
    /// Announced; sound must follow.
    Announced(Moment),
    /// In the middle of speech, the last frame at this moment.
    Talking(Moment),
}

#[derive(Debug, Clone, Copy, Default)]
struct Speaker {
    health: SpeakerHealth,
    stream: Stream,
    muted: bool,
    nonsense: u32,
    /// Packets missing since the last that was heard.
    missing: u32,
    deaf: bool,
    /// They were announced before: a second announcement of a client that is merely talking again proves nothing.
    heard_once: bool,
}

/// The hearing of one call.
#[derive(Debug, Clone)]
pub struct Health {
    config: HealthConfig,
    speakers: BTreeMap<UserId, Speaker>,
    unknown: u64,
    healed_at: Option<Moment>,
    /// Somebody is unheard, and nothing was done about it yet.
    wanted: bool,
    strangers: Strangers,
}

/// Sound of nobody known: a member's whose announcement was lost, or none of any member's at all.
#[derive(Debug, Clone, Copy, Default)]
struct Strangers {
    /// Frames in a row, and when the last came.
    streak: u32,
    last: Option<Moment>,
    /// Healings that this has caused since somebody new was announced.
    heals: u32,
}

/// Frames that are further apart than this are not one stream.
const STREAK: Duration = Duration::from_millis(500);

impl Health {
    /// A call in which nobody was heard yet.
    pub const fn new(config: HealthConfig) -> Self {
        Self {
            config,
            speakers: BTreeMap::new(),
            unknown: 0,
            healed_at: None,
            wanted: false,
            strangers: Strangers {
                streak: 0,
                last: None,
                heals: 0,
            },
        }
    }

    /// How somebody is heard.
    pub fn report(&self, who: UserId) -> SpeakerHealth {
        self.speakers
            .get(&who)
            .map_or_else(SpeakerHealth::default, |speaker| speaker.health)
    }

    /// Frames of which nobody knew whose they were.
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Takes in what happened, and says what is to be done.
    pub fn step(&mut self, now: Moment, event: HealthEvent) -> Vec<HealthEffect> {
        let mut effects = Vec::new();
        match event {
            HealthEvent::Present { who } => {
                if self.speakers.len() < self.config.speakers {
                    self.speakers.entry(who).or_default();
                }
            }
            HealthEvent::Absent { who } => {
                self.speakers.remove(&who);
            }
            HealthEvent::Announced { who } => {
                self.strangers.streak = 0;
                if let Some(speaker) = self.speakers.get_mut(&who)
                    && !speaker.muted
                    && speaker.stream == Stream::Quiet
                    && !speaker.heard_once
                {
                    speaker.stream = Stream::Announced(now);
                }
            }
            HealthEvent::Frame { who, kind } => self.frame(now, who, kind, &mut effects),
            HealthEvent::Skipped { who, packets } => {
                if let Some(speaker) = self.speakers.get_mut(&who) {
                    speaker.health.concealed += u64::from(packets);
                    speaker.missing = speaker.missing.saturating_add(packets);
                }
            }
            HealthEvent::Unknown => self.stranger(now, &mut effects),
            HealthEvent::Words { who, count } => {
                if let Some(speaker) = self.speakers.get_mut(&who) {
                    speaker.health.words += count;
                }
            }
            HealthEvent::Muted { who, muted } => {
                if let Some(speaker) = self.speakers.get_mut(&who) {
                    speaker.muted = muted;
                    if muted {
                        // A client that is muted stops in the middle of a word.
                        speaker.stream = Stream::Quiet;
                    }
                }
            }
            HealthEvent::Rejoined => {
                self.strangers.streak = 0;
                for speaker in self.speakers.values_mut() {
                    speaker.stream = Stream::Quiet;
                    speaker.nonsense = 0;
                    speaker.missing = 0;
                    speaker.heard_once = false;
                }
            }
            HealthEvent::Tick => self.examine(now, &mut effects),
        }
        effects
    }

    /// Somebody talks whom nobody announced to us: the channel is joined anew, where everybody is announced again.
    fn stranger(&mut self, now: Moment, effects: &mut Vec<HealthEffect>) {
        self.unknown += 1;
        let strangers = &mut self.strangers;
        let goes_on = strangers
            .last
            .replace(now)
            .is_some_and(|last| now.since(last) < STREAK);
        strangers.streak = if goes_on {
            strangers.streak.saturating_add(1)
        } else {
            1
        };
        let may = self
            .healed_at
            .is_none_or(|at| now.since(at) >= self.config.heal_every);
        if strangers.streak >= self.config.unknown && strangers.heals < self.config.unknown_heals && may {
            strangers.streak = 0;
            strangers.heals += 1;
            self.healed_at = Some(now);
            effects.push(HealthEffect::Heal);
        }
    }

    fn frame(&mut self, now: Moment, who: UserId, kind: FrameKind, effects: &mut Vec<HealthEffect>) {
        let Some(speaker) = self.speakers.get_mut(&who) else {
            return;
        };
        let health = &mut speaker.health;
        match kind {
            FrameKind::Voice => {
                health.packets += 1;
                health.decoded += 1;
                speaker.nonsense = 0;
                speaker.missing = 0;
                // Whose sound it is was learnt, perhaps by healing.
                if !std::mem::replace(&mut speaker.heard_once, true) {
                    self.strangers.heals = 0;
                }
                speaker.stream = Stream::Talking(now);
                health.hears = Hears::Yes;
                if std::mem::take(&mut speaker.deaf) {
                    effects.push(HealthEffect::HearsAgain { who });
                }
            }
            FrameKind::Silence => {
                health.packets += 1;
                health.decoded += 1;
                speaker.nonsense = 0;
                speaker.heard_once = true;
                let talking = matches!(speaker.stream, Stream::Talking(_));
                speaker.stream = Stream::Quiet;
                if std::mem::take(&mut speaker.missing) >= self.config.missing {
                    self.deaf(who, Deafness::Missed, effects);
                    self.heal(now, effects);
                } else if talking && std::mem::take(&mut speaker.deaf) {
                    // Silence alone proves nothing: it is not encrypted.
                    health.hears = Hears::Yes;
                    effects.push(HealthEffect::HearsAgain { who });
                }
            }
            // Lost packets keep a stream neither alive nor dead.
            FrameKind::Concealed => {
                health.concealed += 1;
                speaker.missing = speaker.missing.saturating_add(1);
            }
            FrameKind::Undecodable => {
                health.packets += 1;
                health.undecodable += 1;
                speaker.nonsense += 1;
                if speaker.nonsense >= self.config.undecodable {
                    self.deaf(who, Deafness::Undecodable, effects);
                    self.heal(now, effects);
                }
            }
        }
    }

    fn examine(&mut self, now: Moment, effects: &mut Vec<HealthEffect>) {
        let overdue: Vec<(UserId, Deafness)> = self
            .speakers
            .iter()
            .filter_map(|(who, speaker)| match speaker.stream {
                Stream::Talking(last) if now.since(last) >= self.config.broken_off => {
                    Some((*who, Deafness::BrokenOff))
                }
                Stream::Announced(at) if now.since(at) >= self.config.announced => {
                    Some((*who, Deafness::NothingCame))
                }
                _ => None,
            })
            .collect();
        for (who, why) in overdue {
            self.deaf(who, why, effects);
        }
        self.heal(now, effects);
    }

    fn deaf(&mut self, who: UserId, why: Deafness, effects: &mut Vec<HealthEffect>) {
        let Some(speaker) = self.speakers.get_mut(&who) else {
            return;
        };
        // The same cause is told and healed once: what healing did not mend, healing again will not.
        speaker.stream = Stream::Quiet;
        speaker.nonsense = 0;
        speaker.health.hears = Hears::No;
        if !std::mem::replace(&mut speaker.deaf, true) {
            effects.push(HealthEffect::Deaf { who, why });
        }
        self.wanted = true;
    }

    fn heal(&mut self, now: Moment, effects: &mut Vec<HealthEffect>) {
        if !self.wanted {
            return;
        }
        if !self.speakers.values().any(|speaker| speaker.deaf) {
            self.wanted = false;
            return;
        }
        let may = self
            .healed_at
            .is_none_or(|at| now.since(at) >= self.config.heal_every);
        if may {
            self.healed_at = Some(now);
            self.wanted = false;
            effects.push(HealthEffect::Heal);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADA: UserId = UserId::new(1);

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn call() -> Health {
        let mut health = Health::new(HealthConfig::default());
        health.step(at(0), HealthEvent::Present { who: ADA });
        health
    }

    fn frame(kind: FrameKind) -> HealthEvent {
        HealthEvent::Frame { who: ADA, kind }
    }

    /// Ticks from one moment to another; what was done, and when.
    fn pass(health: &mut Health, from: u64, to: u64) -> Vec<(u64, HealthEffect)> {
        let ticks = (from..to).step_by(500);
        ticks
            .flat_map(|now| {
                let effects = health.step(at(now), HealthEvent::Tick);
                effects
                    .into_iter()
                    .map(move |effect| (now, effect))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_stream_that_breaks_off_is_noticed_and_healed_within_five_seconds() {
        let mut health = call();
        health.step(at(1_000), frame(FrameKind::Voice));
        let done = pass(&mut health, 1_000, 6_000);
        let why = Deafness::BrokenOff;
        assert_eq!(done[0], (3_000, HealthEffect::Deaf { who: ADA, why }));
        assert_eq!(done[1], (3_000, HealthEffect::Heal));
        assert_eq!(done.len(), 2);
        assert_eq!(health.report(ADA).hears, Hears::No);
        assert_eq!(
            health.step(at(7_000), frame(FrameKind::Voice)),
            [HealthEffect::HearsAgain { who: ADA }]
        );
        assert_eq!(health.report(ADA).hears, Hears::Yes);
    }

    #[test]
    fn who_stops_talking_mutes_or_leaves_is_not_taken_for_unheard() {
        for end in [
            frame(FrameKind::Silence),
            HealthEvent::Muted {
                who: ADA,
                muted: true,
            },
            HealthEvent::Absent { who: ADA },
        ] {
            let mut health = call();
            health.step(at(0), frame(FrameKind::Voice));
            health.step(at(20), end);
            assert!(pass(&mut health, 0, 10_000).is_empty(), "{end:?}");
        }
    }

    #[test]
    fn who_is_announced_must_be_heard() {
        let mut health = call();
        health.step(at(0), HealthEvent::Announced { who: ADA });
        let done = pass(&mut health, 0, 10_000);
        let why = Deafness::NothingCame;
        assert_eq!(
            done,
            [
                (3_000, HealthEffect::Deaf { who: ADA, why }),
                (3_000, HealthEffect::Heal)
            ]
        );
    }

    #[test]
    fn words_that_never_came_through_are_noticed_when_their_speaker_falls_silent() {
        let mut health = call();
        let mut done = Vec::new();
        for (packets, kind) in [
            (0, FrameKind::Voice),
            (0, FrameKind::Silence),
            (80, FrameKind::Silence),
            (0, FrameKind::Silence),
        ] {
            done.extend(health.step(at(0), HealthEvent::Skipped { who: ADA, packets }));
            done.extend(health.step(at(0), frame(kind)));
        }
        let why = Deafness::Missed;
        assert_eq!(done, [HealthEffect::Deaf { who: ADA, why }, HealthEffect::Heal]);
        assert_eq!(
            health.step(at(9), frame(FrameKind::Voice)),
            [HealthEffect::HearsAgain { who: ADA }]
        );
    }

    #[test]
    fn a_bad_network_is_not_taken_for_deafness() {
        let mut health = call();
        for n in 0..500_u64 {
            let kind = if n % 3 == 0 {
                FrameKind::Voice
            } else {
                FrameKind::Concealed
            };
            assert!(health.step(at(n * 20), frame(kind)).is_empty());
        }
        assert!(health.step(at(10_000), frame(FrameKind::Silence)).is_empty());
    }

    #[test]
    fn nonsense_is_noticed_at_once() {
        let mut health = call();
        let mut done = Vec::new();
        for n in 0..25 {
            done.extend(health.step(at(n * 20), frame(FrameKind::Undecodable)));
        }
        let why = Deafness::Undecodable;
        assert_eq!(done, [HealthEffect::Deaf { who: ADA, why }, HealthEffect::Heal]);
    }

    #[test]
    fn healing_comes_once_a_minute() {
        let mut health = call();
        let mut heals = Vec::new();
        for second in 0..200_u64 {
            // Broken off again and again.
            if second % 5 == 0 {
                health.step(at(second * 1000), frame(FrameKind::Voice));
            }
            for (when, effect) in pass(&mut health, second * 1000, second * 1000 + 1000) {
                if effect == HealthEffect::Heal {
                    heals.push(when);
                }
            }
        }
        assert!(heals.len() >= 3, "{heals:?}");
        assert!(
            heals.windows(2).all(|pair| pair[1] - pair[0] >= 60_000),
            "{heals:?}"
        );
    }

    #[test]
    fn everything_is_counted() {
        let mut health = call();
        for kind in [
            FrameKind::Voice,
            FrameKind::Voice,
            FrameKind::Concealed,
            FrameKind::Undecodable,
            FrameKind::Silence,
        ] {
            health.step(at(0), frame(kind));
        }
        health.step(at(0), HealthEvent::Words { who: ADA, count: 3 });
        health.step(at(0), HealthEvent::Unknown);
        let expected = SpeakerHealth {
            packets: 4,
            undecodable: 1,
            concealed: 1,
            decoded: 3,
            words: 3,
            hears: Hears::Yes,
        };
        assert_eq!(health.report(ADA), expected);
        assert_eq!(health.unknown(), 1);
    }

    #[test]
    fn sound_of_nobody_known_is_healed_within_bounds() {
        let mut health = call();
        let mut healed = Vec::new();
        // A second is none yet, and packets far apart are no stream.
        for n in 0..60 {
            assert_eq!(health.step(at(n * 600), HealthEvent::Unknown), []);
        }
        for n in 0..60_000 {
            let now = 100_000 + n * 20;
            if health.step(at(now), HealthEvent::Unknown) == [HealthEffect::Heal] {
                healed.push(now);
                health.step(at(now), HealthEvent::Rejoined);
            }
        }
        assert_eq!(healed.len(), 3, "what stays nobody's is left alone");
        assert!(healed[0] <= 101_000 && healed.windows(2).all(|w| w[1] - w[0] >= 60_000));
        // Once somebody new is heard, it may help again.
        health.step(at(2_000_000), frame(FrameKind::Voice));
        let again = (0..60)
            .any(|n| health.step(at(2_000_020 + n * 20), HealthEvent::Unknown) == [HealthEffect::Heal]);
        assert!(again);
    }

    proptest! {
        #[test]
        fn deafness_is_told_in_turns_and_healing_is_bounded(events in proptest::collection::vec((0..11_u8, 0..3_u64, 0..3000_u64), 0..200)) {
            let mut health = Health::new(HealthConfig { speakers: 2, ..HealthConfig::default() });
            let (mut now, mut last_heal) = (0, None::<u64>);
            let mut deaf = std::collections::BTreeSet::new();
            for (what, who, later) in events {
                now += later;
                let who = UserId::new(who);
                let event = match what {
                    0 => HealthEvent::Present { who },
                    1 => { deaf.remove(&who); HealthEvent::Absent { who } }
                    2 => HealthEvent::Announced { who },
                    3 => HealthEvent::Muted { who, muted: later % 2 == 0 },
                    4 => HealthEvent::Rejoined,
                    5 => HealthEvent::Frame { who, kind: FrameKind::Silence },
                    6 => HealthEvent::Frame { who, kind: FrameKind::Undecodable },
                    7 => HealthEvent::Frame { who, kind: FrameKind::Concealed },
                    8 => HealthEvent::Frame { who, kind: FrameKind::Voice },
                    9 => HealthEvent::Unknown,
                    _ => HealthEvent::Tick,
                };
                for effect in health.step(at(now), event) {
                    match effect {
                        HealthEffect::Deaf { who, .. } => prop_assert!(deaf.insert(who)),
                        HealthEffect::HearsAgain { who } => prop_assert!(deaf.remove(&who)),
                        HealthEffect::Heal => {
                            prop_assert!(last_heal.is_none_or(|at| now - at >= 60_000));
                            last_heal = Some(now);
                        }
                    }
                }
            }
        }
    }
}
