-- ARGV: time, user, epoch, at, reason, retention. Closes a session's row; the first close wins.
local row = read_row()
if not row then
  local current = fenced(ARGV[3])
  if current then return {'fenced', current} end
  return {'unknown'}
end
if row.user ~= ARGV[2] then return {'conflict'} end
if row.closed then return record('known', row) end
local current = fenced(ARGV[3])
if current then return {'fenced', current} end
if row.epoch ~= ARGV[3] then return {'conflict'} end
close_row(row, int(math.max(moment(ARGV[4]), number(row.tick, 'tick in ' .. KEYS[3]))), ARGV[5], ARGV[6])
return record('ok', row)
