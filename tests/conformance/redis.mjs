// A Redis that keeps nothing.

import { freePort } from './processes.mjs'

export async function redisServer (processes) {
  const port = await freePort()
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no',
    '--dir', processes.directory]
  await processes.start('redis-server', 'redis-server', args, {}, port)
  return { url: `redis://127.0.0.1:${port}` }
}
