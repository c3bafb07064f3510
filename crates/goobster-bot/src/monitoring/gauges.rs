//! What is looked up when somebody asks for metrics: queues, people, the process.

use std::sync::Arc;

use goobster_core::session::Phase;
use metrics::gauge;

use super::signs::Signs;
use super::{names, process};
use crate::discord::bot::Bot;

/// Sets every gauge that nobody sets by itself.
pub(super) async fn look(bot: Option<&Bot>, signs: &Arc<Signs>) {
    let flag = |name: &'static str, on: bool| gauge!(name).set(f64::from(u8::from(on)));
    flag(names::GATEWAY, signs.gateway_up());
    flag(names::STORE, signs.can_write());
    flag(names::READY, signs.lacking().is_empty());
    flag(names::DRAINING, signs.is_draining());
    let active = match bot {
        Some(bot) => of_bot(bot).await,
        None => 0,
    };
    gauge!(names::SESSIONS).set(active as f64);
    if let Some(process) = process::look() {
        gauge!(names::RESIDENT).set(process.resident as f64);
        gauge!(names::PER_SESSION).set(process.resident as f64 / active.max(1) as f64);
        gauge!(names::THREADS).set(process.threads as f64);
        gauge!(names::DESCRIPTORS).set(process.descriptors as f64);
    }
}

/// The sessions that run.
async fn of_bot(bot: &Bot) -> usize {
    let calls = bot.calls();
    gauge!(names::CALLS).set(calls.len() as f64);
    let (mut events, mut captions) = (0, 0);
    let (mut present, mut heard, mut talking) = (0, 0, 0);
    for call in &calls {
        let waiting = call.waiting();
        events += waiting.events;
        captions += waiting.captions;
        let Some(status) = call.status().await else {
            continue;
        };
        present += status.speakers.len();
        heard += status.speakers.iter().filter(|speaker| speaker.heard).count();
        talking += status.speakers.iter().filter(|speaker| speaker.talking).count();
    }
    for (state, count) in [("present", present), ("heard", heard), ("talking", talking)] {
        gauge!(names::SPEAKERS, "state" => state).set(count as f64);
    }
    let taken = bot.engines().guard.taken();
    for (state, count) in [
        ("there", taken.seats),
        ("taken", taken.taken),
        ("waiting", taken.waiting),
    ] {
        gauge!(names::SEATS, "state" => state).set(count as f64);
    }
    let load = bot.engines().recogniser.load();
    let queues = [
        ("decodes", load.waiting),
        ("finals", load.urgent),
        ("call_events", events),
        ("captions", captions),
        ("charges", bot.charges_waiting()),
    ];
    for (queue, depth) in queues {
        gauge!(names::QUEUE, "queue" => queue).set(depth as f64);
    }
    let sessions = bot.sessions().list();
    sessions
        .iter()
        .filter(|session| session.phase == Phase::Active)
        .count()
}
