-- KEYS: hosts, sizes, leases, holders, meta. ARGV: time, host, lease, most. Takes shards that nobody holds.
local now, host, lease = server_now(), ARGV[2], tonumber(ARGV[3])
local alive = redis.call('ZSCORE', KEYS[1], host)
if not alive or tonumber(alive) <= now then return {'unknown'} end
local answer = {'ok'}
for _, shard in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', int(now), 'LIMIT', 0, ARGV[4])) do
  local before = redis.call('HGET', KEYS[4], shard) or ''
  -- At least the time: should the number ever be lost, the next one is still a greater one.
  local fence = math.max(tonumber(redis.call('HGET', KEYS[5], 'fence') or '0') + 1, now)
  redis.call('HSET', KEYS[5], 'fence', int(fence))
  redis.call('HSET', KEYS[4], shard, host .. '|' .. int(fence))
  redis.call('ZADD', KEYS[3], int(now + lease), shard)
  redis.call('ZINCRBY', KEYS[2], 1, host)
  answer[#answer + 1] = shard
  answer[#answer + 1] = int(fence)
  answer[#answer + 1] = string.match(before, '^(.*)|%d+$') or ''
end
return answer
