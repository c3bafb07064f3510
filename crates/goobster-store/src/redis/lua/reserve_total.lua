-- KEYS: slots, claims. ARGV: time, session, hold, limit, claim. Takes one of all places; remembers whose it is.
local now, session = server_now(), ARGV[2]
local hold, limit, claim = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now))) do
  redis.call('HDEL', KEYS[2], gone)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local known = redis.call('HGET', KEYS[2], session)
if known and string.sub(known, 2) ~= claim then return {'conflict'} end
local held = redis.call('ZCARD', KEYS[1])
if not known and held >= limit then return {'full', int(held)} end
local expires = math.max(tonumber(redis.call('ZSCORE', KEYS[1], session) or 0), now + hold)
redis.call('ZADD', KEYS[1], int(expires), session)
if not known then redis.call('HSET', KEYS[2], session, 'r' .. claim) end
keep(KEYS[1], expires - now)
keep(KEYS[2], expires - now)
return {'ok', known and '0' or '1'}
