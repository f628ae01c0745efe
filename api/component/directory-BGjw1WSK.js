import{ApiError as e,C as t,U as n,h as r,ht as i,k as a,n as o,p as s,pt as c,r as l,ut as u,w as d,y as f,z as p}from"./session-booking.js";var m={title:`Choose a coach`,search:`Search by name, topic or headline`,choose:`See times`,none:`No coach was found.`,more:`Show more`,back:`All coaches`},h={title:`Coach auswählen`,search:`Nach Name, Thema oder Beschreibung suchen`,choose:`Termine zeigen`,none:`Es wurde kein Coach gefunden.`,more:`Mehr zeigen`,back:`Alle Coaches`};function g(e){return n(`directory`,{en:m,de:h},e)}var _=12,v=300,y=class{#e=new o({mentors:[],nextCursor:null,isLoading:!0,error:null});#t;#n=``;constructor(e,t){this.context=e,this.choose=t,this.#t=new s(e.signal),l(e.element,e.signal,this.#e),e.options.mentorId||this.#a(),addEventListener(`online`,()=>void(this.#e.state.error?.isTemporary&&this.#a()),{signal:e.signal})}render(e){let t=g(e),{mentors:n,nextCursor:o,isLoading:s,error:l}=this.#e.state;return i`<section class="calendar" aria-labelledby="directory">
      <h3 id="directory" tabindex="-1" data-focus>${t.title}</h3>
      <input
        type="search"
        aria-label=${t.search}
        placeholder=${t.search}
        @input=${e=>void this.#r(p(e))}
      />
      <ul class="offers">
        ${n.map(n=>i`<li class="offer single">
              ${r(e,n)}
              <button
                part="button"
                aria-label=${`${t.choose}: ${n.name}`}
                @click=${()=>this.choose(n.id)}
              >
                ${t.choose}
              </button>
            </li>`)}
      </ul>
      ${s?f(e.words.loading):c}
      ${l?a(e,l,d(e.words.tryAgain,()=>this.#a())):c}
      <p class="muted" role="status">${n.length||s||l?c:t.none}</p>
      ${o&&!l?d(t.more,()=>s||this.#i()):c}
    </section>`}renderBack(e){return i`<button class="link" part="button" @click=${()=>this.choose(null)}>
      ${t(`m15 6-6 6 6 6`)} ${g(e).back}
    </button>`}async#r(e){this.#n=e.trim();let t=this.#t.next();await u(v,t).catch(()=>void 0),t.aborted||(this.#e.update({mentors:[],nextCursor:null}),await this.#a())}async#i(){let{element:e}=this.context,{length:t}=this.#e.state.mentors;await this.#a(),await e.updateComplete,e.renderRoot.querySelectorAll(`li button`)[t]?.focus()}async#a(){let t=this.#t.next();this.#e.update({isLoading:!0,error:null});let{nextCursor:n}=this.#e.state;try{let e={limit:_,q:this.#n||null,cursor:n},r=await this.context.client.get(`/mentors`,e,{open:!0,signal:t}),i=[...this.#e.state.mentors,...r.items];this.#e.update({mentors:i,nextCursor:r.nextCursor,isLoading:!1}),this.context.telemetry.loaded()}catch(n){if(t.aborted)return;let r=e.of(n);this.#e.update({isLoading:!1,error:r}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`load`})}}};export{y as Directory};