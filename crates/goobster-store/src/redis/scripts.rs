//! The Lua scripts: one an operation and slot. They run on the server, whole or not at all.

use std::sync::LazyLock;

use redis::Script;

/// Every script, made of the shared beginning and its own file.
pub(super) struct Scripts {
    pub(super) reserve_guild: Script,
    pub(super) reserve_slot: Script,
    pub(super) reserve_total: Script,
    pub(super) keep_guild: Script,
    pub(super) keep_slot: Script,
    pub(super) release: Script,
    pub(super) held: Script,
    pub(super) open_row: Script,
    pub(super) charge_row: Script,
    pub(super) close_row: Script,
    pub(super) recover_row: Script,
    pub(super) quota: Script,
    pub(super) forget: Script,
    pub(super) forget_row: Script,
    pub(super) host_beat: Script,
    pub(super) host_claim: Script,
    pub(super) host_release: Script,
    pub(super) host_gate: Script,
    pub(super) host_calls: Script,
    pub(super) register_put: Script,
    pub(super) register_since: Script,
}

const PRELUDE: &str = include_str!("lua/prelude.lua");
const ROW: &str = include_str!("lua/row.lua");
const REGISTER: &str = include_str!("lua/register.lua");

/// The scripts, hashed once.
pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
    let plain = |own: &str| Script::new(&format!("{PRELUDE}{own}"));
    let row = |own: &str| Script::new(&format!("{PRELUDE}{ROW}{own}"));
    let register = |own: &str| Script::new(&format!("{PRELUDE}{REGISTER}{own}"));
    Scripts {
        reserve_guild: plain(include_str!("lua/reserve_guild.lua")),
        reserve_slot: plain(include_str!("lua/reserve_slot.lua")),
        reserve_total: plain(include_str!("lua/reserve_total.lua")),
        keep_guild: plain(include_str!("lua/keep_guild.lua")),
        keep_slot: plain(include_str!("lua/keep_slot.lua")),
        release: plain(include_str!("lua/release.lua")),
        held: plain(include_str!("lua/held.lua")),
        open_row: row(include_str!("lua/open_row.lua")),
        charge_row: row(include_str!("lua/charge_row.lua")),
        close_row: row(include_str!("lua/close_row.lua")),
        recover_row: row(include_str!("lua/recover_row.lua")),
        quota: plain(include_str!("lua/quota.lua")),
        forget: plain(include_str!("lua/forget.lua")),
        forget_row: plain(include_str!("lua/forget_row.lua")),
        host_beat: plain(include_str!("lua/host_beat.lua")),
        host_claim: plain(include_str!("lua/host_claim.lua")),
        host_release: plain(include_str!("lua/host_release.lua")),
        host_gate: plain(include_str!("lua/host_gate.lua")),
        host_calls: plain(include_str!("lua/host_calls.lua")),
        register_put: register(include_str!("lua/register_put.lua")),
        register_since: register(include_str!("lua/register_since.lua")),
    }
});
