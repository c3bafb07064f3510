//! Who holds how many shards: a fair share each, with as little movement as there can be.

use super::Shard;

/// How a host stands among the others, as the store counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Shards there are.
    pub total: u32,
    /// Hosts that take shards: alive and not draining.
    pub sharing: u32,
    /// How many of them hold more than this one, or as many and come before it by name; `None` when this one drains.
    pub rank: Option<u32>,
    /// Shards that nobody holds.
    pub free: u32,
}

/// What a host does next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Shards to ask for at most.
    pub claim: u32,
    /// Shards to give away now.
    pub release: Vec<Shard>,
}

/// How many shards a host should hold. Those that hold most already get the ones that cannot be divided, so that nothing
/// moves for the sake of order.
pub fn target(standing: Standing) -> u32 {
    match standing.rank {
        Some(rank) if standing.sharing > 0 => {
            let (each, over) = (
                standing.total / standing.sharing,
                standing.total % standing.sharing,
            );
            each + u32::from(rank < over)
        }
        _ => 0,
    }
}

/// What a host does next that holds some shards, each with whether calls are going on in it. Shards with calls are kept
/// until their calls end.
pub fn plan(standing: Standing, held: &[(Shard, bool)]) -> Plan {
    let (target, holds) = (target(standing), u32::try_from(held.len()).unwrap_or(u32::MAX));
    let surplus = holds.saturating_sub(target);
    let idle = held.iter().filter(|(_, busy)| !busy).map(|(shard, _)| *shard);
    Plan {
        claim: target.saturating_sub(holds).min(standing.free),
        release: idle.take(surplus as usize).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// The store's table, as the Redis scripts keep it.
    #[derive(Debug, Default)]
    struct Table {
        total: u32,
        held: BTreeMap<u32, BTreeSet<u32>>,
        draining: BTreeSet<u32>,
        moved: u32,
    }

    impl Table {
        fn free(&self) -> Vec<u32> {
            let taken: BTreeSet<u32> = self.held.values().flatten().copied().collect();
            (0..self.total).filter(|shard| !taken.contains(shard)).collect()
        }

        fn standing(&self, host: u32) -> Standing {
            let mut sharing: Vec<(usize, u32)> = self
                .held
                .iter()
                .filter(|(host, _)| !self.draining.contains(host))
                .map(|(host, held)| (held.len(), *host))
                .collect();
            sharing.sort_unstable_by(|a, b| b.cmp(a));
            let rank = sharing.iter().position(|(_, other)| *other == host);
            Standing {
                total: self.total,
                sharing: sharing.len() as u32,
                rank: rank.map(|rank| rank as u32),
                free: self.free().len() as u32,
            }
        }

        fn turn(&mut self, host: u32, busy: &BTreeSet<u32>) {
            let Some(mine) = self.held.get(&host) else { return };
            let held: Vec<(Shard, bool)> = mine.iter().map(|s| (Shard::new(*s), busy.contains(s))).collect();
            let plan = plan(self.standing(host), &held);
            let gained: Vec<u32> = self.free().into_iter().take(plan.claim as usize).collect();
            let mine = self.held.get_mut(&host).unwrap();
            for shard in plan.release {
                assert!(!busy.contains(&shard.get()));
                mine.remove(&shard.get());
            }
            self.moved += gained.len() as u32;
            mine.extend(gained);
        }

        fn settle(&mut self, busy: &BTreeSet<u32>) {
            let hosts: Vec<u32> = self.held.keys().copied().collect();
            for _ in 0..4 {
                for host in &hosts {
                    self.turn(*host, busy);
                }
            }
        }

        fn check_one_holder(&self) {
            let mut seen = BTreeSet::new();
            assert!(
                self.held.values().flatten().all(|shard| seen.insert(*shard)),
                "two holders"
            );
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Come(u32),
        Die(u32),
        Drain(u32),
        Turn(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u32..8).prop_map(Step::Come),
            (0_u32..8).prop_map(Step::Die),
            (0_u32..8).prop_map(Step::Drain),
            (0_u32..8).prop_map(Step::Turn),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_a_shard_has_one_holder_and_after_a_while_all_are_held_fairly(
            total in 1_u32..40,
            steps in prop::collection::vec(step(), 0..40),
        ) {
            let mut table = Table { total, ..Table::default() };
            let none = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Come(host) => {
                        table.held.entry(host).or_default();
                    }
                    Step::Die(host) => {
                        table.held.remove(&host);
                        table.draining.remove(&host);
                    }
                    Step::Drain(host) if table.held.contains_key(&host) => {
                        table.draining.insert(host);
                    }
                    Step::Drain(_) => {}
                    Step::Turn(host) => table.turn(host, &none),
                }
                table.check_one_holder();
            }
            table.held.entry(100).or_default();
            table.settle(&none);
            table.check_one_holder();
            prop_assert_eq!(table.free(), Vec::<u32>::new());
            let sharing: Vec<usize> = table
                .held
                .iter()
                .filter(|(host, _)| !table.draining.contains(host))
                .map(|(_, held)| held.len())
                .collect();
            prop_assert!(sharing.iter().max().unwrap() - sharing.iter().min().unwrap() <= 1);
            prop_assert!(table.draining.iter().all(|host| table.held[host].is_empty()));
        }

        #[test]
        fn little_moves_when_a_host_comes_or_dies(total in 1_u32..60, hosts in 1_u32..8) {
            let none = BTreeSet::new();
            let mut table = Table { total, ..Table::default() };
            table.held.extend((0..hosts).map(|host| (host, BTreeSet::new())));
            table.settle(&none);
            table.moved = 0;
            table.held.insert(50, BTreeSet::new());
            table.settle(&none);
            // Just what the new one gets.
            prop_assert_eq!(table.moved as usize, table.held[&50].len());
            table.moved = 0;
            let lost = table.held.remove(&0).unwrap().len();
            table.settle(&none);
            prop_assert_eq!(table.moved as usize, lost);
            table.moved = 0;
            table.settle(&none);
            prop_assert_eq!(table.moved, 0);
        }
    }

    #[test]
    fn calls_keep_their_shard_until_they_end() {
        let standing = Standing {
            total: 4,
            sharing: 2,
            rank: Some(0),
            free: 0,
        };
        let held = |busy: [bool; 4]| -> Vec<(Shard, bool)> {
            (0..).zip(busy).map(|(n, busy)| (Shard::new(n), busy)).collect()
        };
        assert_eq!(plan(standing, &held([true; 4])), Plan::default());
        let plan = plan(standing, &held([true, true, true, false]));
        assert_eq!(plan.release, [Shard::new(3)]);
    }
}
