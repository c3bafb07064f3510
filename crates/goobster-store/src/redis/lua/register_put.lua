-- ARGV: time, key, over ('any', 'none' or 'text'), that text, and the new text, or nothing to strike the entry out.
local remembered = 3600000
rebuilt()
local known = redis.call('HGET', KEYS[1], ARGV[2])
if ARGV[3] == 'none' and known then return {'kept'} end
if ARGV[3] == 'text' and known ~= ARGV[4] then return {'kept'} end
local text = ARGV[5] or false
if known == text then return {'ok'} end
local now = server_now()
if text then
  redis.call('HSET', KEYS[1], ARGV[2], text)
  redis.call('ZREM', KEYS[4], ARGV[2])
else
  redis.call('HDEL', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[4], int(now), ARGV[2])
end
redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[3], 'edition', 1), ARGV[2])
-- What was struck out is not remembered for ever; who did not look since reads everything anew.
local floor = number(redis.call('HGET', KEYS[3], 'floor') or '0', 'floor')
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', int(now - remembered), 'LIMIT', 0, 100)) do
  floor = math.max(floor, tonumber(redis.call('ZSCORE', KEYS[2], key) or '0'))
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[4], key)
end
redis.call('HSET', KEYS[3], 'floor', int(floor))
return {'ok'}
