-- KEYS: slots, and for all places also claims. ARGV: time, session, lease.
local now, session, lease = server_now(), ARGV[2], tonumber(ARGV[3])
local expires = redis.call('ZSCORE', KEYS[1], session)
if not expires or tonumber(expires) <= now then return {'lost'} end
redis.call('ZADD', KEYS[1], 'XX', int(now + lease), session)
keep(KEYS[1], lease)
if KEYS[2] then
  local claim = redis.call('HGET', KEYS[2], session)
  if claim then redis.call('HSET', KEYS[2], session, 'c' .. string.sub(claim, 2)) end
  keep(KEYS[2], lease)
end
return {'ok'}
