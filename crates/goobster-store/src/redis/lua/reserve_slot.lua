-- KEYS: slots. ARGV: time, session, hold, limit. Takes a place of a member.
local now, session = server_now(), ARGV[2]
local hold, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local known = redis.call('ZSCORE', KEYS[1], session)
local held = redis.call('ZCARD', KEYS[1])
if not known and held >= limit then return {'full', int(held)} end
local expires = math.max(tonumber(known or 0), now + hold)
redis.call('ZADD', KEYS[1], int(expires), session)
keep(KEYS[1], expires - now)
return {'ok', known and '0' or '1'}
