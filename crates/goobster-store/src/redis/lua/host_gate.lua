-- KEYS: gate. ARGV: time, how long it stays closed. Lets one through, and closes.
if redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[2]) then return {'open'} end
return {'wait', int(math.max(redis.call('PTTL', KEYS[1]), 1))}
