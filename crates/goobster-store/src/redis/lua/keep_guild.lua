-- KEYS: served, slots. ARGV: time, session, epoch, lease. Confirms or renews, only while the place is still held.
local now, session, lease = server_now(), ARGV[2], tonumber(ARGV[4])
local current = redis.call('HGET', KEYS[1], 'epoch')
if current and tonumber(ARGV[3]) < number(current, 'epoch in ' .. KEYS[1]) then return {'fenced', current} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
if not redis.call('ZSCORE', KEYS[2], session) then return {'lost'} end
redis.call('ZADD', KEYS[2], 'XX', int(now + lease), session)
keep(KEYS[2], lease)
return {'ok'}
