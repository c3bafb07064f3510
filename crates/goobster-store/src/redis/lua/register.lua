-- KEYS: entries, log, meta, gone. The log orders keys by their last change; gone dates those that were struck out.
local function rebuilt()
  -- A backup holds the entries alone.
  if redis.call('EXISTS', KEYS[3]) == 1 then return end
  for _, key in ipairs(redis.call('HKEYS', KEYS[1])) do
    redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[3], 'edition', 1), key)
  end
end
