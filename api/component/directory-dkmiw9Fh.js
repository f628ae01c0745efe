import{ApiError as e,B as t,C as n,W as r,dt as i,gt as a,h as o,k as s,mt as c,n as l,p as u,r as d,w as f,y as p}from"./session-booking.js";var m={title:`Choose a coach`,search:`Search by name, topic or headline`,choose:`See times`,none:`No coach was found.`,more:`Show more`,back:`All coaches`},h={title:`Coach auswählen`,search:`Nach Name, Thema oder Beschreibung suchen`,choose:`Termine zeigen`,none:`Es wurde kein Coach gefunden.`,more:`Mehr zeigen`,back:`Alle Coaches`};function g(e){return r(`directory`,{en:m,de:h},e)}var _=12,v=300,y=class{#e=new l({mentors:[],nextCursor:null,isLoading:!0,error:null});#t;#n=``;constructor(e,t){this.context=e,this.choose=t,this.#t=new u(e.signal),d(e.element,e.signal,this.#e),e.options.mentorId||this.#a(),addEventListener(`online`,()=>void(this.#e.state.error?.isTemporary&&this.#a()),{signal:e.signal})}render(e){let n=g(e),{mentors:r,nextCursor:i,isLoading:l,error:u}=this.#e.state;return a`<section class="calendar" aria-labelledby="directory">
      <h3 id="directory" tabindex="-1" data-focus>${n.title}</h3>
      <input
        type="search"
        aria-label=${n.search}
        placeholder=${n.search}
        @input=${e=>void this.#r(t(e))}
      />
      <ul class="offers">
        ${r.map(t=>a`<li class="offer single">
              ${o(e,t)}
              <button
                part="button"
                aria-label=${`${n.choose}: ${t.name}`}
                @click=${()=>this.choose(t.id)}
              >
                ${n.choose}
              </button>
            </li>`)}
      </ul>
      ${l?p(e.words.loading):c}
      ${u?s(e,u,f(e.words.tryAgain,()=>this.#a())):c}
      <p class="muted" role="status">${r.length||l||u?c:n.none}</p>
      ${i&&!u?f(n.more,()=>l||this.#i()):c}
    </section>`}renderBack(e){return a`<button class="link" part="button" @click=${()=>this.choose(null)}>
      ${n(`m15 6-6 6 6 6`)} ${g(e).back}
    </button>`}async#r(e){this.#n=e.trim();let t=this.#t.next();await i(v,t).catch(()=>void 0),t.aborted||(this.#e.update({mentors:[],nextCursor:null}),await this.#a())}async#i(){let{element:e}=this.context,{length:t}=this.#e.state.mentors;await this.#a(),await e.updateComplete,e.renderRoot.querySelectorAll(`li button`)[t]?.focus()}async#a(){let t=this.#t.next();this.#e.update({isLoading:!0,error:null});let{nextCursor:n}=this.#e.state;try{let e={limit:_,q:this.#n||null,cursor:n},r=await this.context.client.get(`/mentors`,e,{open:!0,signal:t}),i=[...this.#e.state.mentors,...r.items];this.#e.update({mentors:i,nextCursor:r.nextCursor,isLoading:!1}),this.context.telemetry.loaded()}catch(n){if(t.aborted)return;let r=e.of(n);this.#e.update({isLoading:!1,error:r}),this.context.telemetry.failed(r),this.context.emit(`failed`,{error:r,during:`load`})}}};export{y as Directory};