//! The decode planner of one speaker.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Agreement, Effect, Heard, HearingConfig, Partials, Ticket};
use crate::ids::TurnId;
use crate::ports::{DecodeClass, RecogniseError, Recognition, SPEECH_RATE};
use crate::time::Moment;

/// Ended utterances that wait for their final decode, at most. A machine that falls this far behind fails the
/// oldest, aloud, rather than hoard audio.
const BACKLOG: usize = 8;
/// A decode may begin this much after the utterance's first sample and still cover it (pre-roll holds no voice).
const SLACK: u64 = SPEECH_RATE as u64 / 20;

/// Decides for one speaker when to decode what.
#[derive(Debug)]
pub struct Planner {
    config: HearingConfig,
    next_ticket: u64,
    open: Option<Open>,
    closing: VecDeque<Closing>,
    /// How long the last partial took, for backing off.
    partial_took: Duration,
    partials: Partials,
}

/// The utterance being spoken.
#[derive(Debug)]
struct Open {
    turn: TurnId,
    from: u64,
    upto: u64,
    paused: bool,
    agreement: Agreement,
    partial: Option<Running>,
    /// Where the last partial ended.
    covered: u64,
    speculative: Option<Speculation>,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    ticket: Ticket,
    upto: u64,
    since: Moment,
}

#[derive(Debug)]
struct Speculation {
    ticket: Ticket,
    from: u64,
    upto: u64,
    done: Option<Recognition>,
}

/// An ended utterance.
#[derive(Debug)]
struct Closing {
    turn: TurnId,
    from: u64,
    voice_end: u64,
    upto: u64,
    promoted: bool,
    state: Final,
}

#[derive(Debug)]
enum Final {
    Running { ticket: Ticket, retried: bool },
    Heard(Recognition),
    Failed(RecogniseError),
}

impl Planner {
    /// A planner that has heard nothing.
    pub fn new(config: HearingConfig) -> Self {
        Self {
            config,
            next_ticket: 0,
            open: None,
            closing: VecDeque::new(),
            partial_took: Duration::ZERO,
            partials: Partials::Full,
        }
    }

    /// Growing captions may be asked for so often from now on; those under way go on.
    pub fn set_partials(&mut self, partials: Partials) {
        self.partials = partials;
    }

    /// The turn being spoken, if any.
    pub fn open_turn(&self) -> Option<TurnId> {
        self.open.as_ref().map(|open| open.turn)
    }

    /// Whether nothing is being spoken and nothing is being decoded.
    pub fn is_quiet(&self) -> bool {
        self.open.is_none() && self.closing.is_empty()
    }

    /// The oldest sample that a decode may still ask for; older audio can be let go. `None`: none is needed.
    pub fn oldest_needed(&self) -> Option<u64> {
        self.closing
            .iter()
            .map(|closing| closing.from)
            .chain(self.open.as_ref().map(|open| open.from))
            .min()
    }

    /// Takes what was heard and says what to do. `now` is used to learn how long decodes take.
    pub fn step(&mut self, now: Moment, heard: Heard) -> Vec<Effect> {
        let mut effects = Vec::new();
        match heard {
            Heard::Started { turn, from } => self.start(turn, from, &mut effects),
            Heard::Audio { upto } => self.grow(now, upto, &mut effects),
            Heard::Paused { at, upto } => self.pause(at, upto, &mut effects),
            Heard::Resumed => self.resume(&mut effects),
            Heard::Ended {
                from,
                voice_end,
                upto,
            } => self.end(from, voice_end, upto.max(voice_end), &mut effects),
            Heard::Discarded => self.discard(&mut effects),
            Heard::Decoded { ticket, recognition } => self.decoded(now, ticket, recognition, &mut effects),
            Heard::Failed { ticket, error } => self.failed(now, ticket, error, &mut effects),
        }
        effects
    }

    fn start(&mut self, turn: TurnId, from: u64, effects: &mut Vec<Effect>) {
        // A start without an end is the driver's mistake; the old turn must not hang.
        self.discard(effects);
        self.open = Some(Open {
            turn,
            from,
            upto: from,
            paused: false,
            agreement: Agreement::new(),
            partial: None,
            covered: from,
            speculative: None,
        });
    }

    fn grow(&mut self, now: Moment, upto: u64, effects: &mut Vec<Effect>) {
        let Some(open) = &mut self.open else { return };
        open.upto = open.upto.max(upto);
        if open.paused || open.partial.is_some() || open.upto - open.from > samples(self.config.longest) {
            return;
        }
        let rarer = match self.partials {
            Partials::Full => 1,
            Partials::Fewer => 3,
            Partials::None => return,
        };
        // While finals wait, cores are for them.
        if self
            .closing
            .iter()
            .any(|closing| matches!(closing.state, Final::Running { .. }))
        {
            return;
        }
        // When decodes take long, at most about half of the time goes into partials.
        let growth = if open.covered == open.from {
            samples(self.config.first_partial)
        } else {
            samples(self.config.growth).max(samples(self.partial_took) * 2)
        };
        if open.upto - open.covered < growth * rarer {
            return;
        }
        let ticket = ticket(&mut self.next_ticket);
        open.partial = Some(Running {
            ticket,
            upto: open.upto,
            since: now,
        });
        open.covered = open.upto;
        let (turn, from, upto) = (open.turn, open.from, open.upto);
        effects.push(Effect::Decode {
            ticket,
            turn,
            class: DecodeClass::Partial,
            from,
            upto,
        });
    }

    fn pause(&mut self, at: u64, upto: u64, effects: &mut Vec<Effect>) {
        let Some(open) = &mut self.open else { return };
        open.paused = true;
        open.upto = open.upto.max(upto).max(at);
        abort_partial(open, effects);
        abort_speculation(open, effects);
        if !self.config.speculate || open.upto <= open.from {
            return;
        }
        let ticket = ticket(&mut self.next_ticket);
        let (turn, from, upto) = (open.turn, open.from, open.upto);
        open.speculative = Some(Speculation {
            ticket,
            from,
            upto,
            done: None,
        });
        effects.push(Effect::Decode {
            ticket,
            turn,
            class: DecodeClass::Speculative,
            from,
            upto,
        });
    }

    fn resume(&mut self, effects: &mut Vec<Effect>) {
        let Some(open) = &mut self.open else { return };
        open.paused = false;
        if let Some(Speculation {
            upto,
            done: Some(heard),
            ..
        }) = &open.speculative
        {
            // Done already: not final any more, but a good partial.
            open.covered = *upto;
            let forming = open.agreement.push(&heard.text());
            effects.push(Effect::PartialCaption {
                turn: open.turn,
                forming,
                from: open.from,
                upto: *upto,
            });
            open.speculative = None;
        }
        abort_speculation(open, effects);
    }

    fn end(&mut self, from: u64, voice_end: u64, upto: u64, effects: &mut Vec<Effect>) {
        let Some(mut open) = self.open.take() else { return };
        abort_partial(&mut open, effects);
        let turn = open.turn;
        let covers = |s: &Speculation| s.from <= from.saturating_add(SLACK) && s.upto >= voice_end;
        let (state, promoted) = match open.speculative.take() {
            Some(speculation) if covers(&speculation) => {
                if let Some(recognition) = speculation.done {
                    (Final::Heard(recognition), true)
                } else {
                    effects.push(Effect::Promote {
                        ticket: speculation.ticket,
                    });
                    (
                        Final::Running {
                            ticket: speculation.ticket,
                            retried: false,
                        },
                        true,
                    )
                }
            }
            other => {
                if let Some(Speculation {
                    ticket, done: None, ..
                }) = other
                {
                    effects.push(Effect::Abort { ticket });
                }
                let ticket = ticket(&mut self.next_ticket);
                effects.push(Effect::Decode {
                    ticket,
                    turn,
                    class: DecodeClass::Final,
                    from,
                    upto,
                });
                (
                    Final::Running {
                        ticket,
                        retried: false,
                    },
                    false,
                )
            }
        };
        self.closing.push_back(Closing {
            turn,
            from,
            voice_end,
            upto,
            promoted,
            state,
        });
        if self.closing.len() > BACKLOG
            && let Some(oldest) = self.closing.front_mut()
            && let Final::Running { ticket, .. } = oldest.state
        {
            effects.push(Effect::Abort { ticket });
            oldest.state = Final::Failed(RecogniseError::Overloaded { waiting: BACKLOG });
        }
        self.release(effects);
    }

    fn discard(&mut self, effects: &mut Vec<Effect>) {
        let Some(mut open) = self.open.take() else { return };
        abort_partial(&mut open, effects);
        abort_speculation(&mut open, effects);
        effects.push(Effect::Dropped { turn: open.turn });
    }

    fn decoded(&mut self, now: Moment, ticket: Ticket, recognition: Recognition, effects: &mut Vec<Effect>) {
        if let Some(open) = &mut self.open {
            if let Some(partial) = open.partial.take_if(|partial| partial.ticket == ticket) {
                self.partial_took = now.since(partial.since);
                let forming = open.agreement.push(&recognition.text());
                if !forming.firm.is_empty() || !forming.tentative.is_empty() {
                    let (turn, from) = (open.turn, open.from);
                    effects.push(Effect::PartialCaption {
                        turn,
                        forming,
                        from,
                        upto: partial.upto,
                    });
                }
                return;
            }
            if let Some(speculation) = open.speculative.as_mut().filter(|s| s.ticket == ticket) {
                effects.push(Effect::HeardSoFar {
                    turn: open.turn,
                    text: recognition.text(),
                    language: recognition.language,
                });
                speculation.done = Some(recognition);
                return;
            }
        }
        if let Some(closing) = self.closing_of(ticket) {
            closing.state = Final::Heard(recognition);
            self.release(effects);
        }
    }

    fn failed(&mut self, now: Moment, ticket: Ticket, error: RecogniseError, effects: &mut Vec<Effect>) {
        if let Some(open) = &mut self.open {
            if let Some(partial) = open.partial.take_if(|partial| partial.ticket == ticket) {
                // Overloaded or broken: wait longer before the next one.
                self.partial_took = (self.partial_took * 2)
                    .max(now.since(partial.since))
                    .clamp(self.config.growth, self.config.longest);
                return;
            }
            if open
                .speculative
                .take_if(|speculation| speculation.ticket == ticket)
                .is_some()
            {
                return;
            }
        }
        let mut next = self.next_ticket;
        let Some(closing) = self.closing_of(ticket) else {
            return;
        };
        closing.promoted = false;
        if matches!(closing.state, Final::Running { retried: false, .. }) {
            let ticket = self::ticket(&mut next);
            closing.state = Final::Running {
                ticket,
                retried: true,
            };
            let (turn, from, upto) = (closing.turn, closing.from, closing.upto);
            effects.push(Effect::Decode {
                ticket,
                turn,
                class: DecodeClass::Final,
                from,
                upto,
            });
        } else {
            closing.state = Final::Failed(error);
        }
        self.next_ticket = next;
        self.release(effects);
    }

    fn closing_of(&mut self, wanted: Ticket) -> Option<&mut Closing> {
        self.closing
            .iter_mut()
            .find(|c| matches!(c.state, Final::Running { ticket, .. } if ticket == wanted))
    }

    /// Gives out what is ready, in the order of speech.
    fn release(&mut self, effects: &mut Vec<Effect>) {
        while let Some(Closing {
            turn,
            from,
            voice_end,
            promoted,
            state,
            ..
        }) = self
            .closing
            .pop_front_if(|first| !matches!(first.state, Final::Running { .. }))
        {
            match state {
                Final::Heard(recognition) => {
                    effects.push(Effect::FinalCaption {
                        turn,
                        from,
                        voice_end,
                        recognition,
                        promoted,
                    });
                }
                Final::Failed(error) => effects.push(Effect::FinalFailed {
                    turn,
                    from,
                    voice_end,
                    error,
                }),
                Final::Running { .. } => {}
            }
        }
    }
}

fn ticket(next: &mut u64) -> Ticket {
    *next += 1;
    Ticket(*next)
}

fn abort_partial(open: &mut Open, effects: &mut Vec<Effect>) {
    if let Some(partial) = open.partial.take() {
        effects.push(Effect::Abort {
            ticket: partial.ticket,
        });
    }
}

fn abort_speculation(open: &mut Open, effects: &mut Vec<Effect>) {
    if let Some(Speculation {
        ticket, done: None, ..
    }) = open.speculative.take()
    {
        effects.push(Effect::Abort { ticket });
    }
}

fn samples(span: Duration) -> u64 {
    u64::try_from(span.as_millis())
        .unwrap_or(u64::MAX / 32)
        .saturating_mul(u64::from(SPEECH_RATE) / 1000)
}
