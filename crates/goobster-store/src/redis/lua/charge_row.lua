-- ARGV: time, user, epoch, seq, delta, at, ttl. Notes a charge in the session's row, once.
local row = read_row()
if not row then
  local current = fenced(ARGV[3])
  if current then return {'fenced', current} end
  return {'unknown'}
end
if row.user ~= ARGV[2] then return {'conflict'} end
local seq, last = tonumber(ARGV[4]), number(row.seq, 'seq in ' .. KEYS[3])
if row.closed then
  if row.epoch == ARGV[3] and seq <= last then return {'late', row.seq, row.delta, row.at} end
  return {'closed'}
end
local current = fenced(ARGV[3])
if current then return {'fenced', current} end
if row.epoch ~= ARGV[3] then return {'conflict'} end
-- The last charge may have stopped half way, between this row and the member's quota: it is handed out again.
if seq <= last then return {'replay', row.seq, row.delta, row.at} end
local at = moment(ARGV[6])
local tick = math.max(at, number(row.tick, 'tick in ' .. KEYS[3]))
local charged = number(row.charged, 'charged in ' .. KEYS[3]) + tonumber(ARGV[5])
redis.call('HSET', KEYS[3], 'seq', ARGV[4], 'delta', ARGV[5], 'at', int(at), 'tick', int(tick), 'charged', int(charged))
redis.call('PEXPIRE', KEYS[3], ARGV[7])
return {'ok', ARGV[4], ARGV[5], int(at)}
