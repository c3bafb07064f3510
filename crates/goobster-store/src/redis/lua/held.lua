-- KEYS: slots, claims. ARGV: time. Counts places: reserved, confirmed.
local now = server_now()
local reserved, confirmed = 0, 0
for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(now), '+inf')) do
  local claim = redis.call('HGET', KEYS[2], session)
  if claim and string.sub(claim, 1, 1) == 'c' then confirmed = confirmed + 1 else reserved = reserved + 1 end
end
return {int(reserved), int(confirmed)}
