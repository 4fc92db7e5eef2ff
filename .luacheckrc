-- The engine is one Lua 5.1 chunk made of many files (core/src/engine/mod.rs): what prelude.lua and lib/*.lua declare at
-- their left edge is known to all. The names are read from the files, so this list cannot differ from them.
std = {
  read_globals = {
    'redis', 'bit', 'cjson', 'cmsgpack', 'struct', 'string', 'table', 'math', 'error', 'ipairs', 'next', 'pairs', 'pcall', 'rawget', 'rawset',
    'select', 'setmetatable', 'tonumber', 'tostring', 'type', 'unpack',
  },
}
max_line_length = 140

local listing = io.popen('ls core/src/engine/prelude.lua core/src/engine/lib/*.lua')
for path in listing:lines() do
  local used_elsewhere = {}
  for line in io.lines(path) do
    local names = line:match('^local function ([%w_]+)') or line:match('^local ([%w_, ]+)') or ''
    for name in names:gmatch('[%w_]+') do
      table.insert(std.read_globals, name)
      table.insert(used_elsewhere, '2[123]1/^' .. name .. '$')
    end
  end
  files[path] = { ignore = used_elsewhere }
end
listing:close()
