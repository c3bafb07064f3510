-- ARGV: time, user, epoch, at, ttl. Opens a session's row.
local row = read_row()
if row and row.closed then return {'closed'} end
local current = fenced(ARGV[3])
if current then return {'fenced', current} end
if row then
  if row.user ~= ARGV[2] or row.epoch ~= ARGV[3] then return {'conflict'} end
  return {'known'}
end
local at = int(moment(ARGV[4]))
redis.call('HSET', KEYS[3], 'user', ARGV[2], 'epoch', ARGV[3], 'opened', at, 'tick', at, 'seq', '0', 'charged', '0',
  'delta', '0', 'at', at)
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return {'ok'}
