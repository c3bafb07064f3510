//! What the status page shows, as JSON.

use goobster_core::health::Hears;
use goobster_core::ids::GuildId;
use goobster_core::session::{Phase, SessionInfo};
use serde::Serialize;

use super::super::latency::{CAPTION, Counted, REPLY};
use super::super::recent::{self, Line};
use super::super::signs::Signs;
use crate::config::show_span;
use crate::discord::bot::Bot;

/// Sessions and calls told at most; a page shows no more.
const MOST: usize = 200;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    at_ms: i64,
    gateway_up: bool,
    /// What keeps sessions from being started; empty: nothing.
    lacking: Vec<&'static str>,
    sessions: Vec<SessionRow>,
    calls: Vec<CallRow>,
    caption: Counted,
    reply: Counted,
    limits: Option<Limits>,
    troubles: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct SessionRow {
    id: String,
    owner: String,
    guild: String,
    channel: String,
    phase: &'static str,
    active_s: u64,
    quiet_s: u64,
    charged_s: u64,
    /// What its owner has left, where that is known.
    left_s: Option<u64>,
    can_end: bool,
}

#[derive(Debug, Serialize)]
struct CallRow {
    guild: String,
    connected: bool,
    speakers: Vec<SpeakerRow>,
}

#[derive(Debug, Serialize)]
struct SpeakerRow {
    name: String,
    /// Whether they may be heard.
    allowed: bool,
    talking: bool,
    /// "yes", "no" or "not yet".
    hears: &'static str,
}

#[derive(Debug, Serialize)]
struct Limits {
    places: u32,
    held: usize,
    max_duration: String,
    window: String,
}

/// How things are.
pub(super) async fn of(bot: Option<&Bot>, signs: &Signs) -> Report {
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        at_ms: jiff::Timestamp::now().as_millisecond(),
        gateway_up: signs.gateway_up(),
        lacking: signs.lacking(),
        sessions: Vec::new(),
        calls: Vec::new(),
        caption: CAPTION.counted(),
        reply: REPLY.counted(),
        limits: None,
        troubles: recent::lines(),
    };
    let Some(bot) = bot else { return report };
    let sessions = bot.sessions().list();
    let limits = bot.config().limits;
    report.limits = Some(Limits {
        places: limits.total,
        held: sessions.len(),
        max_duration: show_span(limits.voice.as_duration()),
        window: show_span(limits.window.as_duration()),
    });
    report.sessions = sessions
        .iter()
        .take(MOST)
        .map(|session| row(bot, session))
        .collect();
    for call in bot.calls().into_iter().take(MOST) {
        let guild = call.spec().guild;
        let Some(status) = call.status().await else {
            continue;
        };
        let speakers = status.speakers.into_iter().map(|speaker| SpeakerRow {
            name: speaker.name,
            allowed: speaker.heard,
            talking: speaker.talking,
            hears: match speaker.health.hears {
                Hears::Yes => "yes",
                Hears::No => "no",
                _ => "not yet",
            },
        });
        report.calls.push(CallRow {
            guild: name(bot, guild),
            connected: status.connected,
            speakers: speakers.collect(),
        });
    }
    report
}

fn row(bot: &Bot, session: &SessionInfo) -> SessionRow {
    SessionRow {
        id: session.id.to_string(),
        owner: session.owner.to_string(),
        guild: name(bot, session.guild),
        channel: session.channel.name.clone(),
        phase: session.phase.label(),
        active_s: session.active.as_secs(),
        quiet_s: session.quiet.as_secs(),
        charged_s: session.charged.as_duration().as_secs(),
        left_s: bot.left_of(session).map(|left| left.as_secs()),
        can_end: !matches!(session.phase, Phase::Closing(_) | Phase::Closed(_)),
    }
}

fn name(bot: &Bot, guild: GuildId) -> String {
    let known = bot
        .cache()
        .guild(serenity::all::GuildId::new(guild.get()))
        .map(|guild| guild.name.clone());
    known.unwrap_or_else(|| guild.to_string())
}
