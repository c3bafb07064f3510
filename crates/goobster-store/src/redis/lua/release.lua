-- KEYS: slots, and for all places also claims. ARGV: time, session. Gives a place back.
local expires = redis.call('ZSCORE', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[1], ARGV[2])
if KEYS[2] then redis.call('HDEL', KEYS[2], ARGV[2]) end
return {(expires and tonumber(expires) > server_now()) and '1' or '0'}
