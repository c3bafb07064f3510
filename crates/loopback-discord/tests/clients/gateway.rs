//! The gateway as serenity uses it: identify, resume, interactions, shards and every way a connection can break.

use std::time::Duration;

use loopback_discord::world::UserId;
use loopback_discord::world::act::Act;
use loopback_discord::world::draft::Draft;
use loopback_discord::world::event::intent;
use loopback_discord::world::interaction::Answer;
use loopback_discord::{Closer, Config, GatewayFault, Seen};
use serde_json::json;

use crate::support::{Bot, LONG, Place};

#[tokio::test]
async fn a_bot_becomes_ready_and_is_told_of_what_happens() {
    let place = Place::new().await;
    let mut bot = Bot::start(place.loopback.bot_env());
    let [guild, ready] = bot.hears_all(["guild", "ready"]).await;
    assert_eq!(guild, json!({ "name": "den", "channels": 2, "cached": true }));
    assert!(ready["name"] == "bot" && ready["guilds"] == 1, "{ready}");
    let (ann, text, voice) = (place.ann, place.text, place.voice);
    place
        .loopback
        .world(|w| w.create_message(text, ann, Draft::words("hi all")).unwrap());
    bot.hears("message", |m| m["content"] == "hi all" && m["author"] == "ann")
        .await;
    place
        .loopback
        .world(|w| w.join_voice(voice, ann, "s", (false, false)).unwrap());
    bot.hears("voice state", |s| {
        s["user"] == ann.to_string() && s["channel"] == voice.to_string()
    })
    .await;
    bot.tell("quit").await;
    let seen = place.loopback.recorded();
    let closed = |s: &Seen| {
        matches!(
            s,
            Seen::GatewayClosed {
                by: Closer::Bot,
                code: Some(1000),
                ..
            }
        )
    };
    seen.wait_for(closed, LONG).await.unwrap();
    bot.ends().await;
    place.assert_all_routes_known();
    assert!(place.loopback.shutdown().await, "no task is left");
}

#[tokio::test]
async fn commands_completion_and_buttons_are_answered() {
    let place = Place::new().await;
    let mut bot = place.bot().await;
    let (loopback, text, ann) = (&place.loopback, place.text, place.ann);
    let option = |value: &str| vec![("text".to_owned(), json!(value))];
    let interact = |act| loopback.world(|w| w.interact(ann, text, act)).unwrap();
    let answered = async |id| {
        let is = |s: &Seen| matches!(s, Seen::Answered { interaction, .. } if *interaction == id);
        loopback.recorded().wait_for(is, LONG).await.unwrap();
    };

    let typing = interact(Act::Complete {
        path: "speak".into(),
        options: option("hel"),
    });
    answered(typing).await;
    let Some(Answer::Choices(choices)) = loopback.world(|w| w.interaction(typing).unwrap().answer.clone())
    else {
        panic!("no choices")
    };
    assert_eq!(choices[0]["name"], "hello there");

    let used = interact(Act::Command {
        path: "speak".into(),
        options: option("hello there"),
    });
    answered(used).await;
    let mark = 0;
    let said = |s: &Seen| match s {
        Seen::MessageCreated { channel, message } => {
            loopback.world(|w| w.message(*channel, *message).is_ok_and(|m| m.content == "said"))
        }
        _ => false,
    };
    loopback.recorded().wait_after(mark, said, LONG).await.unwrap();
    let (hidden, words) = loopback.world(|w| {
        let found = w.interaction(used).unwrap();
        let message = w.message(text, found.original.unwrap()).unwrap();
        (message.ephemeral(), message.content.clone())
    });
    assert_eq!((hidden, words.as_str()), (true, "saying: hello there"));

    let asked = interact(Act::command("consent"));
    answered(asked).await;
    let message = loopback.world(|w| w.interaction(asked).unwrap().original.unwrap());
    bot.hears("message", |m| m["content"] == "may I listen?").await;
    let pressed = interact(Act::press(message, "yes"));
    answered(pressed).await;
    assert_eq!(
        loopback.world(|w| w.message(text, message).unwrap().content.clone()),
        "thank you"
    );
    place.assert_all_routes_known();
}

/// The bot's session goes on after a fault, and what happened meanwhile is told.
async fn resumes_after(fault: GatewayFault) {
    let place = Place::new().await;
    let mut bot = place.bot().await;
    let seen = place.loopback.recorded();
    let mark = seen.mark();
    assert_eq!(place.loopback.gateway_fault(None, &fault), 1);
    let closed = seen
        .wait_after(mark, |s| matches!(s, Seen::GatewayClosed { .. }), LONG)
        .await
        .unwrap();
    place.loopback.world(|w| {
        w.create_message(place.text, place.ann, Draft::words("missed"))
            .unwrap()
    });
    let resumed = seen
        .wait_after(mark, |s| matches!(s, Seen::Resumed { .. }), LONG)
        .await;
    let resumed = resumed.unwrap_or_else(|e| panic!("after {fault:?}, {closed:?}: {e}"));
    assert!(
        matches!(resumed, Seen::Resumed { replayed: 0..=1, .. }),
        "{resumed:?}"
    );
    bot.hears("message", |m| m["content"] == "missed").await;
    assert_eq!(place.loopback.sessions_connected(), 1);
}

#[tokio::test]
async fn a_session_goes_on_after_opcode_7() {
    resumes_after(GatewayFault::Reconnect).await;
}

#[tokio::test]
async fn a_session_goes_on_after_the_socket_is_cut() {
    resumes_after(GatewayFault::Cut).await;
}

#[tokio::test]
async fn a_session_goes_on_after_close_code_4000() {
    resumes_after(GatewayFault::Close(4000)).await;
}

#[tokio::test]
async fn a_new_session_begins_after_opcode_9() {
    let place = Place::new().await;
    let mut bot = place.bot().await;
    let seen = place.loopback.recorded();
    let mark = seen.mark();
    place
        .loopback
        .gateway_fault(None, &GatewayFault::InvalidSession(false));
    seen.wait_after(mark, |s| matches!(s, Seen::Identified { .. }), LONG)
        .await
        .unwrap();
    bot.hears("ready", |_| true).await;
    assert_eq!(place.loopback.sessions_connected(), 1);
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up_by_the_bot() {
    let config = Config {
        heartbeat: Duration::from_secs(1),
        ..Config::default()
    };
    let place = Place::with(config).await;
    let mut bot = place.bot().await;
    let seen = place.loopback.recorded();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(
        !seen
            .all()
            .iter()
            .any(|e| matches!(e.seen, Seen::GatewayClosed { .. })),
        "heartbeats keep it open"
    );
    let mark = seen.mark();
    place.loopback.gateway_fault(None, &GatewayFault::Silence);
    // serenity 0.12 begins a new session then, though it might resume.
    let back = |s: &Seen| matches!(s, Seen::Resumed { .. } | Seen::Identified { .. });
    seen.wait_after(mark, back, LONG).await.unwrap();
    place.loopback.world(|w| {
        w.create_message(place.text, place.ann, Draft::words("still there?"))
            .unwrap()
    });
    bot.hears("message", |m| m["content"] == "still there?").await;
}

#[tokio::test]
async fn a_wrong_token_and_intents_not_granted_are_final() {
    let place = Place::with(Config {
        granted_intents: 0,
        ..Config::default()
    })
    .await;
    let mut env = place.loopback.bot_env();
    env.push((
        "LOOPBACK_INTENTS",
        (intent::GUILDS | intent::MESSAGE_CONTENT).to_string(),
    ));
    let mut bot = Bot::start(env);
    let seen = place.loopback.recorded();
    seen.wait_for(
        |s| matches!(s, Seen::GatewayClosed { code: Some(4014), .. }),
        LONG,
    )
    .await
    .unwrap();
    let ended = bot.hears("ended", |_| true).await;
    assert!(ended.as_str().unwrap().contains("intents"), "{ended}");

    let mut env = place.loopback.bot_env();
    env.push(("LOOPBACK_INTENTS", (1_u64 << 40).to_string()));
    let mut bot = Bot::start(env);
    seen.wait_for(
        |s| matches!(s, Seen::GatewayClosed { code: Some(4013), .. }),
        LONG,
    )
    .await
    .unwrap();
    bot.hears("ended", |_| true).await;
}

#[tokio::test]
async fn shards_start_in_turn_and_each_has_its_guilds() {
    let config = Config {
        shards: 2,
        max_concurrency: 2,
        ..Config::default()
    };
    let place = Place::with(config).await;
    for n in 0..8 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        place
            .loopback
            .world(|w| w.add_guild(&format!("guild {n}"), w.owner()).unwrap());
    }
    let mut env = place.loopback.bot_env();
    env.push(("LOOPBACK_SHARDS", "1".into()));
    let mut bot = Bot::start(env);
    let mut names = std::collections::BTreeSet::new();
    while names.len() < 9 {
        let guild = bot.hears("guild", |_| true).await;
        assert!(
            names.insert(guild["name"].to_string()),
            "no guild is on two shards"
        );
    }
    let shards: Vec<_> = place
        .loopback
        .recorded()
        .all()
        .into_iter()
        .filter_map(|e| match e.seen {
            Seen::Identified { shard, .. } => Some((shard, e.at)),
            _ => None,
        })
        .collect();
    let which: std::collections::BTreeSet<_> = shards.iter().map(|(s, _)| *s).collect();
    assert_eq!(which, [(0, 2), (1, 2)].into());
}

#[tokio::test]
async fn a_voice_channel_is_left_when_the_session_is_not_resumed() {
    let config = Config {
        session_lasts: Duration::from_millis(300),
        ..Config::default()
    };
    let place = Place::with(config).await;
    let bot = place.bot().await;
    let me: UserId = place.loopback.world(|w| w.bot());
    let session = place
        .loopback
        .recorded()
        .all()
        .into_iter()
        .find_map(|e| match e.seen {
            Seen::Identified { session, .. } => Some(session),
            _ => None,
        });
    place.loopback.world(|w| {
        w.join_voice(place.voice, me, &session.unwrap(), (false, false))
            .unwrap();
    });
    drop(bot);
    let seen = place.loopback.recorded();
    seen.wait_for(
        |s| {
            matches!(
                s,
                Seen::GatewayClosed {
                    by: Closer::Broken,
                    ..
                }
            )
        },
        LONG,
    )
    .await
    .unwrap();
    assert_eq!(place.loopback.world(|w| w.in_voice(place.voice)), [me]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(place.loopback.world(|w| w.in_voice(place.voice)).is_empty());
}
