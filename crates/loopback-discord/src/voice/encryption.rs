//! How a room uses its DAVE group: it follows who comes and goes, carries messages to and from the bot, and keeps frames of the
//! bot that cannot be read until a change of keys is executed.

use std::time::{Duration, Instant};

use tracing::debug;

use super::BotFrame;
use super::dave::{DaveError, Effect, Group};
use super::room::{Out, Room};
use crate::recorded::Seen;
use crate::world::UserId;

/// Frames that wait for keys: two seconds. Older ones are lost, as they would be to people.
const MAX_HELD: usize = 100;

impl Room {
    /// Lets the group do something, and carries out what comes of it.
    pub(super) fn dave(&mut self, act: impl FnOnce(&mut Group, Instant) -> Result<Vec<Effect>, DaveError>) {
        let Some(group) = &mut self.group else { return };
        match act(group, Instant::now()) {
            Ok(effects) => self.carry_out(effects),
            Err(e) => {
                debug!("{e}");
                self.seen.note(Seen::DaveRefused {
                    guild: self.guild,
                    why: e.to_string(),
                });
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Text(text) => _ = self.tell(Out::Text(text)),
                Effect::Binary(bytes) => _ = self.tell(Out::Binary(bytes)),
                Effect::Executed(transition) => {
                    self.seen.note(Seen::DaveExecuted {
                        guild: self.guild,
                        transition,
                    });
                }
            }
        }
    }

    /// Tells a connection that has its keys for packets who proposes members; gives the version of the protocol.
    pub(super) fn greet(&mut self) -> u16 {
        let Some(group) = &self.group else { return 0 };
        let (version, greeting) = (group.version(), group.greet());
        self.carry_out(vec![greeting]);
        version
    }

    /// A frame of a member as it leaves their machine; none if it cannot be encrypted.
    pub(super) fn encrypt(&mut self, user: UserId, frame: &[u8]) -> Option<Vec<u8>> {
        self.dave(Group::tick);
        let mut frame = match &mut self.group {
            Some(group) => group.encrypt(user, frame)?,
            None => frame.to_vec(),
        };
        if self.garbled.contains(&user)
            && let Some(first) = frame.first_mut()
        {
            *first ^= 0x55;
        }
        Some(frame)
    }

    /// A packet of the bot came: gives the frames that can be read now, in order.
    pub(super) fn hear(&mut self, packet: &[u8], at: Duration) -> Option<Vec<BotFrame>> {
        let (header, frame) = self.receive(packet)?;
        if self.held.len() >= MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back((at, header, frame));
        Some(self.release())
    }

    /// Frames that waited for keys and can be read now.
    pub(super) fn release(&mut self) -> Vec<BotFrame> {
        let mut readable = Vec::new();
        let held = std::mem::take(&mut self.held);
        for (at, header, frame) in held {
            let opened = match &mut self.group {
                Some(group) => group.decrypt(&frame),
                None => Some((frame.clone(), false)),
            };
            match opened {
                Some((opus, encrypted)) => readable.push(BotFrame {
                    at,
                    sequence: header.sequence,
                    timestamp: header.timestamp,
                    opus,
                    encrypted,
                }),
                None => self.held.push_back((at, header, frame)),
            }
        }
        readable
    }
}
