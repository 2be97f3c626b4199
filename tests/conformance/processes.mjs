// Child processes, all of which end with this one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export class Processes {
  constructor () {
    this.directory = mkdtempSync(path.join(tmpdir(), 'conformance-'))
    this.children = []
  }

  // Starts a program, and waits until it takes connections on the port.
  async start (name, command, args, options, port) {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options })
    let said = ''
    child.stderr.on('data', data => { said = (said + data).slice(-4096) })
    child.on('error', error => { said += error })
    this.children.push(child)
    const deadline = Date.now() + 20_000
    while (!await takesConnections(port)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${name} does not answer: ${said}`)
      }
      await pause(50)
    }
    return { stop: () => stop(child) }
  }

  async stop () {
    await Promise.all(this.children.map(stop))
    rmSync(this.directory, { recursive: true, force: true })
  }
}

// A port that was free a moment ago.
export async function freePort () {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function takesConnections (port) {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function stop (child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill()
  const kill = globalThis.setTimeout(() => child.kill('SIGKILL'), 5000)
  await once(child, 'exit')
  clearTimeout(kill)
}
