-- Shared by every script. ARGV[1] is the time in UTC milliseconds, or empty for the server's own.
local function server_now()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
-- Whole numbers as text: Lua's own conversion would round large ones.
local function int(n) return string.format('%.0f', n) end
-- A number that must be there: damaged data is an error, never zero.
local function number(text, what)
  local n = tonumber(text)
  if not n or n ~= n or math.abs(n) == math.huge then error('CORRUPT ' .. what, 0) end
  return n
end
-- Lengthens a key's life, never shortens it.
local function keep(key, ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, int(ttl)) end
end
-- A moment: 'a5' is five milliseconds ago by the server's clock, 't5' is five milliseconds after the Unix epoch.
local function moment(text)
  local n = tonumber(string.sub(text, 2))
  if string.sub(text, 1, 1) == 'a' then return server_now() - n end
  return n
end
