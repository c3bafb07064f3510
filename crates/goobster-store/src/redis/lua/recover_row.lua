-- ARGV: time, session, reason, retention. Closes the row of a session that holds no place any more, at its last tick.
local row = read_row()
if row and row.closed then return record('known', row) end
local expires = redis.call('ZSCORE', KEYS[2], ARGV[2])
if expires and tonumber(expires) > server_now() then return {'alive'} end
if not row then return {'gone'} end
close_row(row, row.tick, ARGV[3], ARGV[4])
return record('crashed', row)
