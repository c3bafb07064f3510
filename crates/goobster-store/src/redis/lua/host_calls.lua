-- KEYS: calls of a shard. ARGV: time, fence, retention, what: '' to read, else a guild; then its call, or nothing to strike it out.
local fence, known = tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], '#') or '0')
if known > fence then return {'fenced'} end
if known < fence then redis.call('HSET', KEYS[1], '#', ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local answer = {'ok'}
if ARGV[4] == '' then
  for _, field in ipairs(redis.call('HGETALL', KEYS[1])) do answer[#answer + 1] = field end
elseif ARGV[5] then
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
else
  redis.call('HDEL', KEYS[1], ARGV[4])
end
return answer
