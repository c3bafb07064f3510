-- KEYS: quota, holds. ARGV: time, now or later, window, grain. Forgets a member's usage, at once or when its window has ended.
if ARGV[2] == 'now' then
  redis.call('DEL', KEYS[1], KEYS[2])
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'forget', 1)
  local longest = tonumber(ARGV[3]) + tonumber(ARGV[4])
  if redis.call('PTTL', KEYS[1]) > longest then redis.call('PEXPIRE', KEYS[1], int(longest)) end
end
return {'ok', tostring(redis.call('EXISTS', KEYS[1]))}
