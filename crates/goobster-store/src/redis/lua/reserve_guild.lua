-- KEYS: served, slots. ARGV: time, session, node, hold, limit. Takes a place in a guild; takes the guild over when nobody serves it.
local now, session, node = server_now(), ARGV[2], ARGV[3]
local hold, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
local held = redis.call('ZCARD', KEYS[2])
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch == false then
  -- The time as the first epoch: should the key ever be lost, the next epoch is still a later one.
  epoch = now
  redis.call('HSET', KEYS[1], 'epoch', int(epoch), 'node', node)
else
  epoch = number(epoch, 'epoch in ' .. KEYS[1])
  if redis.call('HGET', KEYS[1], 'node') ~= node then
    if held > 0 then return {'elsewhere'} end
    epoch = math.max(epoch + 1, now)
    redis.call('HSET', KEYS[1], 'epoch', int(epoch), 'node', node)
  end
end
local known = redis.call('ZSCORE', KEYS[2], session)
if not known and held >= limit then return {'full', int(held)} end
local expires = math.max(tonumber(known or 0), now + hold)
redis.call('ZADD', KEYS[2], int(expires), session)
keep(KEYS[2], expires - now)
return {'ok', int(epoch), known and '0' or '1', int(expires - now)}
