-- ARGV: time, edition, how many at most, '1' to go on reading. Answers whether all is read anew, up to which edition, and
-- key, whether it is there, and text of each.
rebuilt()
local since = number(ARGV[2], 'edition')
local floor = number(redis.call('HGET', KEYS[3], 'floor') or '0', 'floor')
local edition = number(redis.call('HGET', KEYS[3], 'edition') or '0', 'edition')
local whole = '0'
if ARGV[4] ~= '1' and (since < floor or since > edition or since == 0) then since, whole = 0, '1' end
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. int(since), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local answer = {'ok', whole, int(since)}
for i = 1, #found, 2 do
  local text = redis.call('HGET', KEYS[1], found[i])
  answer[3] = int(tonumber(found[i + 1]))
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = text and '1' or '0'
  answer[#answer + 1] = text or ''
end
return answer
