-- KEYS: hosts, sizes, leases, holders, meta. ARGV: time, host, lease, draining, total, then shard, fence of each one held.
-- A sign of life: renews what the host still holds, and says how it stands among the others.
local now, host, lease, total = server_now(), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local day = 86400000
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', int(now), 'LIMIT', 0, 200)
for _, name in ipairs(silent) do
  redis.call('ZREM', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
local shared = tonumber(redis.call('HGET', KEYS[5], 'total') or '0')
if shared ~= total then
  local alive, mine = redis.call('ZCARD', KEYS[1]), redis.call('ZSCORE', KEYS[1], host)
  if alive > 1 or (alive == 1 and not mine) then return {'total', int(shared)} end
  -- Nobody lives, so nobody holds anything: the gateway is divided anew.
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('HSET', KEYS[5], 'total', int(total))
end
if redis.call('ZCARD', KEYS[3]) ~= total then
  for shard = 0, total - 1 do redis.call('ZADD', KEYS[3], 'NX', 0, int(shard)) end
end
local lost, kept = {}, 0
for i = 6, #ARGV, 2 do
  if redis.call('HGET', KEYS[4], ARGV[i]) == host .. '|' .. ARGV[i + 1] then
    redis.call('ZADD', KEYS[3], int(now + lease), ARGV[i])
    kept = kept + 1
  else
    lost[#lost + 1] = ARGV[i]
  end
end
redis.call('ZADD', KEYS[1], int(now + lease), host)
if ARGV[4] == '1' then redis.call('ZREM', KEYS[2], host) else redis.call('ZADD', KEYS[2], kept, host) end
for i = 1, 5 do redis.call('PEXPIRE', KEYS[i], int(math.max(day, lease * 2))) end
local rank = redis.call('ZREVRANK', KEYS[2], host)
local free = redis.call('ZCOUNT', KEYS[3], '-inf', int(now))
local answer = {'ok', int(redis.call('ZCARD', KEYS[1])), int(redis.call('ZCARD', KEYS[2])), rank and int(rank) or '', int(free)}
for _, shard in ipairs(lost) do answer[#answer + 1] = shard end
return answer
