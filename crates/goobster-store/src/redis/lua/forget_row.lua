-- KEYS: row. ARGV: unused, user. Removes a closed session's row if it is this member's.
local user, closed = unpack(redis.call('HMGET', KEYS[1], 'user', 'closed'))
if user == ARGV[2] and closed then
  redis.call('DEL', KEYS[1])
  return {'removed'}
end
return {'other'}
