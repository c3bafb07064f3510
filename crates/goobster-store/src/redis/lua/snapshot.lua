-- Every durable key under a prefix with its type, its expiry and its values: one moment of a store.
-- ARGV: the prefix, the pattern that matches its keys, the most keys there may be.
local prefix, most = ARGV[1], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local keys = redis.call('KEYS', ARGV[2])
if #keys > most then return {'too-many', tostring(#keys)} end
table.sort(keys)
local out = {'ok'}
local function put(text) out[#out + 1] = text end
for _, key in ipairs(keys) do
  local name = string.sub(key, #prefix + 2)
  local last = string.match(name, '}:(.*)$') or ''
  if last == 'quota' or last == 'served' or last == 'open' or last == 'entries'
    or string.sub(last, 1, 4) == 'row:' or string.sub(last, 1, 5) == 'mark:' then
    local kind = redis.call('TYPE', key).ok
    local values
    if kind == 'hash' then values = redis.call('HGETALL', key)
    elseif kind == 'set' then values = redis.call('SMEMBERS', key)
    elseif kind == 'string' then values = {redis.call('GET', key)}
    else return {'strange', key, kind} end
    local left = redis.call('PTTL', key)
    put(name)
    put(kind)
    put(left < 0 and '' or string.format('%.0f', now + left))
    put(tostring(#values))
    for _, value in ipairs(values) do put(value) end
  end
end
return out
