-- KEYS: hosts, sizes, leases, holders, meta. ARGV: time, host, leave, then shard, fence of each. Gives shards away.
for i = 4, #ARGV, 2 do
  if redis.call('HGET', KEYS[4], ARGV[i]) == ARGV[2] .. '|' .. ARGV[i + 1] then
    redis.call('HDEL', KEYS[4], ARGV[i])
    redis.call('ZADD', KEYS[3], 'XX', 0, ARGV[i])
    if redis.call('ZSCORE', KEYS[2], ARGV[2]) then redis.call('ZINCRBY', KEYS[2], -1, ARGV[2]) end
  end
end
if ARGV[3] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[2])
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return {'ok'}
