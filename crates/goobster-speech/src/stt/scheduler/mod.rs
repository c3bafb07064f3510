//! Which decode runs next: a pure state machine, driven by the worker pool.
//!
//! - Final before speculative before partial; within a class, the source that was served least goes first
//!   (start-time fair queueing over seconds of audio), and a source's own decodes keep their order.
//! - A newer partial replaces the one of its source that waits. A final or speculative decode makes its source's
//!   earlier partials pointless, waiting or running.
//! - A running partial is called off when a final or speculative decode has no free worker.
//! - The queue is bounded. A final displaces a partial, then a speculative decode; it is refused only past
//!   [`Limits::waiting_finals`], a bound that callers (who wait for each final) reach only by a fault of theirs.
//!
//! A partial can starve while finals keep every worker busy: captions of finished speech matter more.

use std::collections::HashMap;
use std::time::Duration;

use goobster_core::ports::DecodeClass;
use goobster_core::time::Moment;

/// Names one decode from its submission to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u64);

/// What bounds the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Decodes that run at once; at least 1.
    pub workers: usize,
    /// Decodes that wait at most, finals not counted.
    pub waiting: usize,
    /// Finals that wait at most.
    pub waiting_finals: usize,
    /// A decode that runs longer is overdue: reported once and called off.
    pub overdue: Duration,
    /// Overdue for so long after it was called off, it hangs: its worker is given up.
    pub grace: Duration,
    /// Workers that hang and were replaced, at most at the same time; a further one is lost until it comes back.
    pub replacements: usize,
}

/// What is known of a decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Whose speech it is.
    pub source: u64,
    /// Why it is asked for.
    pub class: DecodeClass,
    /// How long the audio is.
    pub audio: Duration,
}

/// What the pool must do now, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Hand the decode to a free worker.
    Start(JobId),
    /// Raise the running decode's flag; it still counts as running until [`Scheduler::finished`].
    CallOff(JobId),
    /// The waiting decode ends here: something newer or more urgent took its place.
    Supersede(JobId),
    /// The waiting decode ends here: there is no room for it.
    Displace(JobId),
}

/// The new decode cannot be taken: so many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full(pub usize);

#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: JobId,
    job: Job,
    since: Moment,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    id: JobId,
    job: Job,
    since: Moment,
    called_off: bool,
    /// When it was reported as overdue.
    reported: Option<Moment>,
    given_up: bool,
}

/// The state of the queue.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    next: u64,
    /// In order of arrival.
    waiting: Vec<Waiting>,
    running: Vec<Running>,
    /// Virtual time in milliseconds of audio: where each source's next decode may start. Only sources ahead of `clock`
    /// are kept, so it is bounded by what was served recently.
    ahead: HashMap<u64, u64>,
    /// Virtual time of the decode started last.
    clock: u64,
    /// Time that urgent decodes took which have ended.
    busy: Duration,
}

impl Scheduler {
    /// Nothing waits, nothing runs.
    pub fn new(limits: Limits) -> Self {
        let limits = Limits {
            workers: limits.workers.max(1),
            ..limits
        };
        Self {
            limits,
            next: 0,
            waiting: Vec::new(),
            running: Vec::new(),
            ahead: HashMap::new(),
            clock: 0,
            busy: Duration::ZERO,
        }
    }

    /// A decode is asked for. On [`Full`] nothing has changed.
    pub fn submit(&mut self, now: Moment, job: Job, effects: &mut Vec<Effect>) -> Result<JobId, Full> {
        let victim = self.room_for(job)?;
        self.supersede_partials(job, effects);
        if let Some(victim) = victim {
            effects.push(Effect::Displace(victim));
            self.waiting.retain(|waiting| waiting.id != victim);
        }
        let id = JobId(self.next);
        self.next += 1;
        self.waiting.push(Waiting { id, job, since: now });
        self.start_what_fits(now, effects);
        self.preempt(effects);
        Ok(id)
    }

    /// A worker is free again. Unknown ids are ignored.
    pub fn finished(&mut self, now: Moment, id: JobId, effects: &mut Vec<Effect>) {
        self.busy += self.urgent_time(now, |running| running.id == id);
        self.running.retain(|running| running.id != id);
        self.start_what_fits(now, effects);
        self.preempt(effects);
    }

    /// Nobody wants the decode any more. A waiting one is forgotten, a running one called off.
    pub fn cancelled(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        self.waiting.retain(|waiting| waiting.id != id);
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            call_off(running, effects);
        }
    }

    /// Calls off what has run for too long; gives the ones not reported before, with how long they ran.
    pub fn overdue(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Vec<(JobId, Duration)> {
        let mut late = Vec::new();
        for running in &mut self.running {
            let ran = now.since(running.since);
            if ran > self.limits.overdue && running.reported.is_none() {
                running.reported = Some(now);
                late.push((running.id, ran));
                call_off(running, effects);
            }
        }
        late
    }

    /// Those that run on long after they were called off, each told once: they hang.
    pub fn hanging(&mut self, now: Moment) -> Vec<JobId> {
        let grace = self.limits.grace;
        let hangs = |running: &&mut Running| {
            let asked = running.reported.is_some_and(|at| now.since(at) >= grace);
            asked && !running.given_up
        };
        let hanging = self.running.iter_mut().filter(hangs);
        hanging
            .map(|running| {
                running.given_up = true;
                running.id
            })
            .collect()
    }

    /// Everything that waits leaves the queue; for when nothing runs any more.
    pub fn give_up_waiting(&mut self) -> Vec<JobId> {
        self.waiting.drain(..).map(|waiting| waiting.id).collect()
    }

    /// How many final and speculative decodes wait, and how long the one that waits longest has waited.
    pub fn urgent(&self, now: Moment) -> (usize, Duration) {
        let urgent = self
            .waiting
            .iter()
            .filter(|w| w.job.class != DecodeClass::Partial);
        urgent.fold((0, Duration::ZERO), |(count, longest), waiting| {
            (count + 1, longest.max(now.since(waiting.since)))
        })
    }

    /// Time spent on final and speculative decodes so far, those that run included.
    pub fn busy(&self, now: Moment) -> Duration {
        self.busy + self.urgent_time(now, |_| true)
    }

    fn urgent_time(&self, now: Moment, which: impl Fn(&Running) -> bool) -> Duration {
        self.running
            .iter()
            .filter(|running| running.job.class != DecodeClass::Partial && which(running))
            .map(|running| now.since(running.since))
            .sum()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// A speculative or final decode covers what its source's earlier partials would show; a partial covers the one
    /// that waits, while the one that runs is let finish, or fast partials would never give a caption.
    fn supersede_partials(&mut self, job: Job, effects: &mut Vec<Effect>) {
        self.waiting.retain(|waiting| {
            let stale = waiting.job.class == DecodeClass::Partial && waiting.job.source == job.source;
            if stale {
                effects.push(Effect::Supersede(waiting.id));
            }
            !stale
        });
        if job.class != DecodeClass::Partial {
            let stale = |running: &&mut Running| {
                running.job.class == DecodeClass::Partial && running.job.source == job.source
            };
            self.running
                .iter_mut()
                .filter(stale)
                .for_each(|running| call_off(running, effects));
        }
    }

    /// Whether the newcomer fits, and which waiting decode must go for it.
    fn room_for(&self, newcomer: Job) -> Result<Option<JobId>, Full> {
        // A free worker takes the newcomer at once.
        if self.running.len() < self.limits.workers {
            return Ok(None);
        }
        let stale = |job: Job| job.class == DecodeClass::Partial && job.source == newcomer.source;
        let staying = || self.waiting.iter().filter(|w| !stale(w.job));
        let finals = staying().filter(|w| w.job.class == DecodeClass::Final).count();
        if newcomer.class == DecodeClass::Final && finals >= self.limits.waiting_finals {
            return Err(Full(self.waiting.len()));
        }
        if staying().count() < self.limits.waiting {
            return Ok(None);
        }
        // The oldest of the least important class goes, if it matters less than the newcomer.
        match staying().min_by_key(|w| (w.job.class, w.id)) {
            Some(victim) if victim.job.class < newcomer.class => Ok(Some(victim.id)),
            _ if newcomer.class == DecodeClass::Final => Ok(None),
            _ => Err(Full(self.waiting.len())),
        }
    }

    fn start_what_fits(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        while self.running.len() < self.limits.workers {
            let Some(at) = self.next_to_start() else { return };
            let Waiting { id, job, .. } = self.waiting.remove(at);
            let start = self.start_tag(job.source);
            self.clock = self.clock.max(start);
            let cost = u64::try_from(job.audio.as_millis()).unwrap_or(u64::MAX).max(1);
            self.ahead.insert(job.source, start.saturating_add(cost));
            let clock = self.clock;
            self.ahead.retain(|_, tag| *tag > clock);
            self.running.push(Running {
                id,
                job,
                since: now,
                called_off: false,
                reported: None,
                given_up: false,
            });
            effects.push(Effect::Start(id));
        }
    }

    fn next_to_start(&self) -> Option<usize> {
        let order = |w: &Waiting| (std::cmp::Reverse(w.job.class), self.start_tag(w.job.source), w.id);
        self.waiting
            .iter()
            .enumerate()
            .min_by_key(|(_, w)| order(w))
            .map(|(at, _)| at)
    }

    fn start_tag(&self, source: u64) -> u64 {
        self.ahead.get(&source).copied().unwrap_or(0).max(self.clock)
    }

    /// Calls off one running partial for each urgent decode that waits and has none called off for it yet.
    fn preempt(&mut self, effects: &mut Vec<Effect>) {
        let urgent = self
            .waiting
            .iter()
            .filter(|w| w.job.class != DecodeClass::Partial)
            .count();
        let ending = self.running.iter().filter(|running| running.called_off).count();
        let mut partials: Vec<&mut Running> = self
            .running
            .iter_mut()
            .filter(|running| running.job.class == DecodeClass::Partial && !running.called_off)
            .collect();
        // The youngest has the least to lose.
        partials.sort_by_key(|running| std::cmp::Reverse((running.since, running.id)));
        for running in partials.into_iter().take(urgent.saturating_sub(ending)) {
            call_off(running, effects);
        }
    }
}

fn call_off(running: &mut Running, effects: &mut Vec<Effect>) {
    if !running.called_off {
        running.called_off = true;
        effects.push(Effect::CallOff(running.id));
    }
}

#[cfg(test)]
mod tests;
