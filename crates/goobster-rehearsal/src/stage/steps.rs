//! Steps as they begin: people act, ask and speak, and things break.

use std::time::Duration;

use goobster_core::time::Moment;
use loopback_discord::world::{ApiError, InteractionId};

use super::acting;
use super::playing::{ANSWERED_WITHIN, Awaited, ENDED_WITHIN, Pending, Stage};
use crate::scenario::{Action, Direction, Fault, Speech, Step};
use crate::timeline;
use crate::watcher::{Happening, Watcher};

impl Stage<'_> {
    /// Begins a step; what takes its time is over later.
    pub(super) fn begin(&mut self, number: usize, now: Moment, watcher: &mut dyn Watcher) {
        let scenario = self.scenario;
        let step = &scenario.steps[number];
        self.cues.begin(now);
        self.timeline.note(format!("{}.began", step.label), now);
        let done = match &step.action {
            Action::Join { member, channel } => acting::join(&self.loopback, &self.cast, member, channel),
            Action::Leave { member } => self
                .cast
                .person(member)
                .and_then(|user| self.loopback.world(|w| w.leave_voice(self.cast.guild, user))),
            Action::Mute { member, on } => acting::mute(&self.loopback, &self.cast, member, *on),
            Action::Write {
                member,
                words,
                channel,
            } => acting::write(&self.loopback, &self.cast, member, channel, words),
            Action::Rest => Ok(()),
            Action::Speak(speech) => {
                self.speak(number, step, speech, watcher);
                return;
            }
            Action::Fault(fault) => {
                self.fault(number, step, fault, now, watcher);
                return;
            }
            Action::Command {
                member,
                path,
                options,
                channel,
            } => {
                let asked = acting::command(&self.loopback, &self.cast, (member, channel), path, options);
                let given: Vec<String> = options.iter().map(|(k, v)| format!(" {k}:{v}")).collect();
                self.asked(
                    number,
                    member,
                    format!("/{path}{}", given.concat()),
                    asked,
                    watcher,
                );
                return;
            }
            Action::Press { member, button } => {
                let asked = acting::press(&self.loopback, &self.cast, member, button);
                self.asked(number, member, format!("[{button}]"), asked, watcher);
                return;
            }
        };
        if let Err(error) = done {
            self.remark(
                now,
                format!("'{}' could not happen: {error}", step.label),
                true,
                watcher,
            );
        }
        self.over(number, now);
    }

    /// Something was asked of the bot.
    fn asked(
        &mut self,
        number: usize,
        member: &str,
        what: String,
        asked: Result<InteractionId, ApiError>,
        watcher: &mut dyn Watcher,
    ) {
        let now = self.now();
        watcher.told(&Happening::Asks {
            at: now,
            member,
            what: &what,
        });
        let label = self.scenario.steps[number].label.clone();
        let refused = asked.as_ref().err().map(ToString::to_string);
        match asked {
            Ok(id) => {
                self.observer.asked.insert(id, self.timeline.requests.len());
                let what = Awaited::Answer(id, now.after(ANSWERED_WITHIN));
                self.pending.push(Pending { step: number, what });
            }
            Err(error) => {
                self.remark(
                    now,
                    format!("'{label}' could not be asked: {error}"),
                    true,
                    watcher,
                );
                self.over(number, now);
            }
        }
        self.timeline.requests.push(timeline::Request {
            label,
            member: member.to_owned(),
            what,
            at: now,
            answered: None,
            refused,
        });
    }

    fn speak(&mut self, number: usize, step: &Step, speech: &Speech, watcher: &mut dyn Watcher) {
        let now = self.now();
        let Some(line) = self.lines.get(&step.label) else {
            self.remark(
                now,
                format!("nobody prepared what '{}' says", step.label),
                true,
                watcher,
            );
            self.over(number, now);
            return;
        };
        let lasts = Duration::from_millis(20) * u32::try_from(line.frames.len()).unwrap_or(u32::MAX);
        let to = now.after(lasts);
        if speech.loss > 0.0 || !speech.jitter.is_zero() {
            self.weather.worsen(
                Direction::Down,
                speech.loss,
                speech.jitter,
                to.after(speech.jitter),
            );
            self.loopback.voice_fault(self.cast.guild, self.weather.network());
        }
        let sent = self.cast.person(&speech.member).is_ok_and(|user| {
            self.loopback
                .speak(self.cast.guild, user, line.frames.clone())
                .is_ok()
        });
        watcher.told(&Happening::Speaks {
            at: now,
            member: &speech.member,
            clip: &speech.clip,
        });
        if !sent {
            let what = format!("'{}': {} speaks where the bot is not", step.label, speech.member);
            self.remark(now, what, false, watcher);
        }
        // The packet that begins now holds the 20 ms before now.
        let spoken = |at: Duration| now.after(at).before(Duration::from_millis(20));
        self.timeline.speeches.push(timeline::Speech {
            label: step.label.clone(),
            member: speech.member.clone(),
            clip: speech.clip.clone(),
            text: line.text.clone(),
            from: now,
            to,
            voice_from: spoken(line.first_voiced),
            end_of_speech: spoken(line.last_voiced),
            loss: speech.loss,
            sent,
        });
        self.pending.push(Pending {
            step: number,
            what: Awaited::Time(to),
        });
    }

    fn fault(&mut self, number: usize, step: &Step, fault: &Fault, now: Moment, watcher: &mut dyn Watcher) {
        let hit = acting::strike(fault, &self.loopback, &self.cast, &mut self.bot).unwrap_or(false);
        let until = fault.lasts().map(|lasts| now.after(lasts));
        if let Some(until) = until {
            if let Fault::Network {
                direction,
                loss,
                jitter,
                ..
            } = fault
            {
                self.weather.worsen(*direction, *loss, *jitter, until);
                self.loopback.voice_fault(self.cast.guild, self.weather.network());
            } else {
                self.lifts.push((until, fault.clone()));
            }
        }
        let what = fault.to_string();
        watcher.told(&Happening::Fault { at: now, what: &what });
        if !hit {
            self.remark(
                now,
                format!("'{}' broke nothing: {what}", step.label),
                false,
                watcher,
            );
        }
        self.timeline.faults.push(timeline::Fault {
            label: step.label.clone(),
            at: now,
            until,
            what,
            hit,
            order: fault.clone(),
        });
        match fault {
            Fault::TerminateBot | Fault::KillBot => {
                self.pending.push(Pending {
                    step: number,
                    what: Awaited::End(now.after(ENDED_WITHIN)),
                });
            }
            _ => self.over(number, now),
        }
    }
}
