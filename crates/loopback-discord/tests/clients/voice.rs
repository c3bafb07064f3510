//! Voice as songbird uses it: joining, both modes of encryption in both directions, networks that lose and reorder, and every
//! way a voice connection can break.

use std::time::Duration;

use loopback_discord::world::UserId;
use loopback_discord::world::channel::ChannelKind;
use loopback_discord::{Closer, Config, Impairment, Mode, Seen, VoiceFault};
use serde_json::Value;

use crate::sound::{pitch, tone};
use crate::support::{Bot, LONG, Place};

impl Place {
    /// A second member.
    pub(crate) fn bob(&self) -> UserId {
        self.loopback.world(|w| {
            let bob = w.add_user("bob", false);
            w.add_member(self.guild, bob).unwrap();
            bob
        })
    }

    pub(crate) fn enters(&self, user: UserId) {
        self.loopback
            .world(|w| w.join_voice(self.voice, user, &user.to_string(), (false, false)))
            .unwrap();
    }

    /// The bot joins and has all keys.
    pub(crate) async fn joined(&self) -> Bot {
        let bot = self.joined_just_now().await;
        self.connects().await;
        bot
    }

    /// The bot joins; keys may still be under way.
    async fn joined_just_now(&self) -> Bot {
        let mut bot = self.bot().await;
        bot.tell(&format!("join {} {}", self.guild, self.voice)).await;
        let joined = bot.hears("joined", |_| true).await;
        assert_eq!(joined, Value::Null);
        bot
    }

    async fn connects(&self) {
        let connected = async {
            while !self.loopback.voice_connected(self.guild) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, connected).await.unwrap();
    }

    pub(crate) async fn says(&self, user: UserId, hertz: f64, seconds: f64) {
        self.loopback
            .speak(self.guild, user, tone(hertz, seconds))
            .unwrap()
            .finished()
            .await;
    }

    /// What a round trip of both voices proves: the connection is whole.
    pub(crate) async fn both_are_heard(&self, bot: &mut Bot) {
        let before = self.loopback.bot_frames(self.guild).len();
        let played = tone(330.0, 1.0);
        bot.tell(&format!("play {} 330 1", self.guild)).await;
        bot.hears("playing", |_| true).await;
        self.says(self.ann, 523.0, 1.0).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let frames: Vec<Vec<u8>> = self
            .loopback
            .bot_frames(self.guild)
            .into_iter()
            .skip(before)
            .map(|f| f.opus)
            .collect();
        assert!(
            played.iter().all(|p| frames.contains(p)),
            "{} of {}",
            frames.len(),
            played.len()
        );
        let heard = heard(bot).await;
        let ann = &heard[&self.ann.to_string()];
        assert!((ann["pitch"].as_f64().unwrap() - 523.0).abs() < 20.0, "{heard}");
        assert!(ann["frames"].as_u64().unwrap() >= 45, "{heard}");
    }
}

pub(crate) async fn heard(bot: &mut Bot) -> Value {
    bot.tell("heard").await;
    bot.hears("heard", |_| true).await
}

/// Voices both ways in one mode.
async fn round_trip(mode: Mode) {
    let place = Place::with(Config {
        voice_mode: Some(mode),
        dave: None,
        ..Config::default()
    })
    .await;
    place.enters(place.ann);
    let mut bot = place.joined().await;
    let described = Seen::VoiceDescribed {
        guild: place.guild,
        mode,
    };
    place
        .loopback
        .recorded()
        .wait_for(|s| *s == described, LONG)
        .await
        .unwrap();
    place.both_are_heard(&mut bot).await;
    let frames = place.loopback.bot_frames(place.guild);
    assert!(frames.iter().all(|f| !f.encrypted));
    let sound: Vec<Vec<u8>> = frames.iter().map(|f| f.opus.clone()).collect();
    assert!((pitch(&sound) - 330.0).abs() < 20.0, "{}", pitch(&sound));
    assert!(
        frames
            .windows(2)
            .all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)),
        "none is lost on this machine"
    );
    // songbird catches up when a busy machine has held it up.
    let took = frames[49].at.saturating_sub(frames[0].at);
    assert!(
        (Duration::from_millis(700)..Duration::from_millis(1_300)).contains(&took),
        "50 frames in {took:?}"
    );
    let guild = place.guild;
    for wanted in [
        Seen::VoiceSpeaking {
            guild,
            speaking: true,
        },
        Seen::BotSpeaks { guild },
    ] {
        place
            .loopback
            .recorded()
            .wait_for(|s| *s == wanted, LONG)
            .await
            .unwrap();
    }
    bot.tell(&format!("leave {guild}")).await;
    bot.hears("left", Value::is_null).await;
    let left = Seen::VoiceAsked { guild, channel: None };
    place
        .loopback
        .recorded()
        .wait_for(|s| *s == left, LONG)
        .await
        .unwrap();
    assert!(place.loopback.world(|w| w.in_voice(place.voice)) == [place.ann]);
    place.assert_all_routes_known();
    drop(bot);
    assert!(place.loopback.shutdown().await, "no task is left");
}

#[tokio::test]
async fn voices_both_ways_with_aes() {
    round_trip(Mode::Aes256Gcm).await;
}

#[tokio::test]
async fn voices_both_ways_with_chacha() {
    round_trip(Mode::XChaCha20Poly1305).await;
}

#[tokio::test]
async fn two_who_talk_at_once_are_told_apart_through_a_bad_network() {
    let place = Place::new().await;
    let bob = place.bob();
    place.enters(place.ann);
    place.enters(bob);
    let mut bot = place.joined().await;
    let bad = Impairment {
        loss: 0.05,
        jitter: Duration::from_millis(40),
        seed: 7,
    };
    place.loopback.voice_fault(
        place.guild,
        VoiceFault::Network {
            down: Some(bad),
            up: None,
        },
    );
    tokio::join!(place.says(place.ann, 440.0, 3.0), place.says(bob, 880.0, 3.0));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let heard = heard(&mut bot).await;
    for (user, hertz) in [(place.ann, 440.0), (bob, 880.0)] {
        let one = &heard[&user.to_string()];
        let (frames, pitch) = (one["frames"].as_u64().unwrap(), one["pitch"].as_f64().unwrap());
        assert!((130..155).contains(&frames), "{heard}");
        assert!((pitch - hertz).abs() < 0.08 * hertz, "{heard}");
    }
}

#[tokio::test]
async fn who_leaves_is_gone_and_who_comes_back_is_heard_again() {
    // With DAVE see its own tests: songbird has a fault there.
    let place = Place::with(Config {
        dave: None,
        ..Config::default()
    })
    .await;
    place.enters(place.ann);
    let mut bot = place.joined().await;
    place.says(place.ann, 440.0, 0.2).await;
    place
        .loopback
        .world(|w| w.leave_voice(place.guild, place.ann))
        .unwrap();
    bot.hears("gone", |u| *u == place.ann.to_string()).await;
    assert!(place.loopback.speak(place.guild, place.ann, Vec::new()).is_err());
    assert!(heard(&mut bot).await[place.ann.to_string()]["frames"].as_u64() >= Some(10));
    place.enters(place.ann);
    place.both_are_heard(&mut bot).await;
}

/// songbird goes on by itself after a fault, and both voices are heard again.
async fn resumes_after(fault: VoiceFault, in_the_middle: bool) {
    let place = Place::with(Config {
        voice_heartbeat: Duration::from_secs(2),
        ..Config::default()
    })
    .await;
    place.enters(place.ann);
    let mut bot = if in_the_middle {
        place.joined_just_now().await
    } else {
        place.joined().await
    };
    let mark = place.loopback.recorded().mark();
    assert!(place.loopback.voice_fault(place.guild, fault));
    let resumed = Seen::VoiceResumed { guild: place.guild };
    place
        .loopback
        .recorded()
        .wait_after(mark, |s| *s == resumed, LONG)
        .await
        .unwrap();
    bot.hears("voice", |v| v == "reconnected").await;
    place.connects().await;
    place.both_are_heard(&mut bot).await;
}

#[tokio::test]
async fn a_crash_of_the_voice_server_is_resumed_from() {
    resumes_after(VoiceFault::Close(4015), false).await;
}

#[tokio::test]
async fn a_cut_voice_socket_is_resumed_from() {
    resumes_after(VoiceFault::Cut, false).await;
}

#[tokio::test]
async fn a_socket_cut_while_keys_are_under_way_is_resumed_from() {
    resumes_after(VoiceFault::Cut, true).await;
}

#[tokio::test]
async fn final_close_codes_end_the_call_and_a_new_join_works() {
    for code in [4006, 4014, 4017, 4021, 4022] {
        let place = Place::new().await;
        place.enters(place.ann);
        let mut bot = place.joined().await;
        let mark = place.loopback.recorded().mark();
        assert!(place.loopback.voice_fault(place.guild, VoiceFault::Close(code)));
        let closed = |s: &Seen| matches!(s, Seen::VoiceClosed { code: Some(c), .. } if *c == code);
        place
            .loopback
            .recorded()
            .wait_after(mark, closed, LONG)
            .await
            .unwrap();
        bot.hears("voice", |v| v.as_str().is_some_and(|v| v.contains("WsClosed")))
            .await;
        assert!(!place.loopback.voice_connected(place.guild));
        if code != 4006 {
            continue;
        }
        bot.tell(&format!("leave {}", place.guild)).await;
        bot.hears("left", |_| true).await;
        // songbird takes the news of having left for the end of a join that it has begun meanwhile.
        let me = place.loopback.world(|w| w.bot().to_string());
        bot.hears("voice state", |s| s["user"] == me && s["channel"].is_null())
            .await;
        bot.tell(&format!("join {} {}", place.guild, place.voice)).await;
        bot.hears("joined", Value::is_null).await;
        place.connects().await;
        place.both_are_heard(&mut bot).await;
    }
}

#[tokio::test]
async fn a_bot_that_is_put_out_or_whose_channel_goes_is_told_so() {
    for kick in [true, false] {
        let place = Place::new().await;
        place.enters(place.ann);
        let mut bot = place.joined().await;
        let mark = place.loopback.recorded().mark();
        place.loopback.world(|w| {
            let bot = w.bot();
            if kick {
                w.leave_voice(place.guild, bot)
            } else {
                w.remove_channel(place.voice)
            }
            .unwrap();
        });
        let closed = |s: &Seen| {
            matches!(
                s,
                Seen::VoiceClosed {
                    code: Some(4014),
                    by: Closer::Here,
                    ..
                }
            )
        };
        place
            .loopback
            .recorded()
            .wait_after(mark, closed, LONG)
            .await
            .unwrap();
        let me = place.loopback.world(|w| w.bot().to_string());
        bot.hears("voice state", |s| s["user"] == me && s["channel"].is_null())
            .await;
        assert!(!place.loopback.voice_connected(place.guild));
        assert!(place.loopback.speak(place.guild, place.ann, Vec::new()).is_err());
    }
}

#[tokio::test]
async fn a_moved_bot_and_a_moved_server_are_followed() {
    let place = Place::new().await;
    place.enters(place.ann);
    let mut bot = place.joined().await;
    let other = place
        .loopback
        .world(|w| w.add_channel(place.guild, "other", ChannelKind::Voice))
        .unwrap();
    let mark = place.loopback.recorded().mark();
    place.loopback.world(|w| {
        w.move_voice(w.bot(), other).unwrap();
        w.move_voice(place.ann, other).unwrap();
    });
    let described = |s: &Seen| matches!(s, Seen::VoiceDescribed { .. });
    place
        .loopback
        .recorded()
        .wait_after(mark, described, LONG)
        .await
        .unwrap();
    bot.hears("voice", |v| v == "connected").await;
    place.connects().await;
    place.both_are_heard(&mut bot).await;

    let mark = place.loopback.recorded().mark();
    assert!(place.loopback.move_voice_server(place.guild));
    place
        .loopback
        .recorded()
        .wait_after(mark, described, LONG)
        .await
        .unwrap();
    bot.hears("voice", |v| v == "connected").await;
    place.connects().await;
    place.both_are_heard(&mut bot).await;
}

#[tokio::test]
async fn a_black_hole_swallows_packets_until_it_closes() {
    let place = Place::new().await;
    place.enters(place.ann);
    let mut bot = place.joined().await;
    place
        .loopback
        .voice_fault(place.guild, VoiceFault::BlackHole(true));
    bot.tell(&format!("play {} 330 0.5", place.guild)).await;
    place.says(place.ann, 440.0, 0.5).await;
    assert_eq!(place.loopback.bot_frames(place.guild), []);
    assert_eq!(heard(&mut bot).await, serde_json::json!({}));
    place
        .loopback
        .voice_fault(place.guild, VoiceFault::BlackHole(false));
    place.both_are_heard(&mut bot).await;
}
